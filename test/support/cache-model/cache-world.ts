import { DomainError } from "../../../src/base/errors.ts";
import type { Gate, GateTimes } from "../../../src/domain/balances/cache-gate.ts";
import { depositOperation } from "../../../src/domain/ledger/wallet-operations.ts";
import type { BalanceMarks, CacheEpoch } from "../../../src/store/balance-cache/balance-marks.ts";
import { createCacheGate } from "../../../src/store/balance-cache/cache-gate.ts";
import { cachedBalances } from "../../../src/store/balance-cache/cached-balances.ts";
import type { GateRow } from "../../../src/store/balance-cache/gate-row.ts";
import { markedLedger } from "../../../src/store/balance-cache/marked-ledger.ts";
import { keepCacheOpen } from "../../../src/store/balance-cache/open-cache.ts";
import type { Ledger, PostResult } from "../../../src/store/ledger/ledger.ts";
import { copyOf, emptyData, fillIn, markIn, readIn, settleIn, type ModelRedis, type ScriptGuards } from "./model-redis.ts";
import { createVirtualTime } from "./virtual-time.ts";

/** What may be left out, to see that the model misses it. */
export interface ModelGuards extends ScriptGuards {
  readonly mark: boolean;
  /** Readers keep to the lease that closers wait for. */
  readonly lease: boolean;
  /** The gate is opening until every writer marks. */
  readonly opening: boolean;
  /** A writer that cannot mark closes the gate. */
  readonly close: boolean;
}

export const ALL_GUARDS: ModelGuards = { reign: true, token: true, mark: true, lease: true, opening: true, close: true };

export type Fault = "pause" | "cut" | "restart" | "flush" | "fail-over" | "there-and-back" | "stall" | "death" | "long-stall";

export interface WorldPlan {
  readonly random: () => number;
  readonly faults: readonly { readonly atMs: number; readonly fault: Fault }[];
  readonly guards: ModelGuards;
}

export interface WorldReport {
  /** Reads that missed a change which had been committed before they began, in words. */
  readonly stale: readonly string[];
  /** Of them, those that missed a change whose writer had been answered. */
  readonly staleAfterAnswer: readonly string[];
  readonly reads: number;
  readonly cached: number;
  readonly writes: number;
  readonly epochs: number;
}

const DEADLINE_MS = 100;
const COMMAND_MS = 10;
/** The times of production, shorter, with a slack for commands and short stalls. */
const TIMES: GateTimes = { readLeaseMs: 100, decisionMs: 150, commitMs: 2 * DEADLINE_MS + 100 };
const USERS = ["ann", "ben"];
const PROCESSES = 3;
export const WORLD_MS = 4_000;

/**
 * The code of the protocol in several processes over a model of Postgres and Redis, in virtual time: clients read and write all the while,
 * and every read is compared with the books as they were when it began.
 */
export async function runWorld({ random, faults, guards }: WorldPlan): Promise<WorldReport> {
  const time = createVirtualTime();
  const between = (from: number, to: number) => from + random() * (to - from);
  const latency = () => (random() < 0.05 ? between(1, COMMAND_MS) : between(0.1, 1));
  const report = { stale: [] as string[], staleAfterAnswer: [] as string[], reads: 0, cached: 0, writes: 0 };

  let reigns = 0;
  const newRedis = (data = emptyData()): ModelRedis => ({
    data,
    reign: `r${(reigns += 1)}`,
    isMaster: true,
    isPaused: false,
    isDead: false,
  });
  let master = newRedis();
  let snapshot = copyOf(master.data);

  const gateRow: { -readonly [Key in keyof Gate]: Gate[Key] } = { epoch: 0, state: "closed", reign: "" };
  const books = new Map(USERS.map((user) => [user, 0n]));
  const answered = new Map(USERS.map((user) => [user, 0n]));

  const processes = Array.from({ length: PROCESSES }, (_, number) => {
    const self = { number, redis: master, stalledUntilMs: 0, isDead: false };
    const wake = async (ms: number): Promise<void> => {
      await time.sleep(ms);
      while (time.nowMs() < self.stalledUntilMs) await time.sleep(self.stalledUntilMs - time.nowMs());
      if (self.isDead) await new Promise(() => {});
    };
    const clock = { nowMs: time.nowMs, sleep: wake };
    const command = async <Result>(run: (server: ModelRedis) => Result): Promise<Result | "unknown"> => {
      const server = self.redis;
      const done = (async () => {
        await time.sleep(latency());
        while (server.isPaused) await time.sleep(1);
        if (server.isDead) return "unknown" as const;
        const result = run(server);
        await wake(latency());
        return result;
      })();
      return Promise.race([done, wake(COMMAND_MS).then(() => "unknown" as const)]);
    };
    const statementMs = () => (random() < 0.05 ? between(1, 200) : between(0.1, 1));
    // One statement after the other, as on a lane.
    let lane: Promise<unknown> = Promise.resolve();
    const statement = (change: () => void): Promise<Gate> => {
      const next = lane.then(async () => {
        await time.sleep(statementMs());
        change();
        const row = { ...gateRow };
        await wake(statementMs());
        return row;
      });
      lane = next;
      return next;
    };
    const row: GateRow = {
      read: () => statement(() => {}),
      close: (epoch) =>
        statement(() => {
          if (!guards.close || gateRow.epoch !== epoch || gateRow.state === "closed") return;
          gateRow.epoch += 1;
          gateRow.state = "closed";
        }),
      beginOpening: (epoch, reign) =>
        statement(() => {
          if (gateRow.epoch !== epoch || gateRow.state !== "closed") return;
          Object.assign(gateRow, { epoch: epoch + 1, state: "opening", reign });
        }),
      open: (epoch) =>
        statement(() => {
          if (gateRow.epoch === epoch && gateRow.state === "opening") gateRow.state = "open";
        }),
      hasOlderRelease: async () => false,
    };
    const marks: BalanceMarks = {
      isUp: () => !self.redis.isDead && !self.redis.isPaused && self.redis.isMaster,
      mark: async (epoch: CacheEpoch, mark, userIds) => {
        const outcome = guards.mark ? await command((server) => markIn(server, epoch, mark, userIds, guards)) : "done";
        return guards.close ? outcome : "done";
      },
      settle: (epoch, mark, userIds) => command((server) => settleIn(server, epoch, mark, userIds, guards)),
      read: (epoch, token, userIds) => command((server) => readIn(server, epoch, token, userIds, guards)),
      fillIn: (epoch, token, texts) => command((server) => fillIn(server, epoch, token, texts, guards)),
      raise: async (epoch) => {
        const reign = await command((server) => {
          if (!server.isMaster) return "unknown" as const;
          server.data.epoch = epoch;
          return server.reign;
        });
        return reign === "unknown" ? undefined : reign;
      },
    };
    const gate = createCacheGate({
      row,
      clock,
      times: guards.lease ? TIMES : { ...TIMES, readLeaseMs: 40 * TIMES.readLeaseMs },
      renewMs: () => 25,
    });
    // Closers wait by their own times.
    const writerGate = guards.lease ? gate : createCacheGate({ row, clock, times: TIMES, renewMs: () => 25 });
    const openerTimes = guards.opening ? TIMES : { ...TIMES, decisionMs: 0, commitMs: 0 };
    let count = 0;
    const newName = () => `${number}/${(count += 1)}`;
    const ledger = {
      async post(operation: { readonly userId?: string }) {
        const user = String(operation.userId);
        const takesMs = random() < 0.03 ? between(DEADLINE_MS, 2 * DEADLINE_MS) : between(0.5, 10);
        await wake(latency());
        const commit = (async () => {
          await time.sleep(takesMs);
          const version = (books.get(user) ?? 0n) + 1n;
          books.set(user, version);
          report.writes += 1;
          return version;
        })();
        const late = wake(DEADLINE_MS).then(() => {
          throw new DomainError("DEADLINE_EXCEEDED");
        });
        const version = await Promise.race([commit, late]);
        late.catch(() => {});
        await wake(latency());
        return { outcome: "done", operationId: version.toString(), duplicate: false, recordedAt: new Date(0) } satisfies PostResult;
      },
    } as unknown as Ledger;
    const marked = markedLedger(ledger, { gate: writerGate, marks, times: TIMES, clock, newMark: newName });
    const reader = cachedBalances({
      gate,
      marks,
      newToken: newName,
      onRead: ({ cached }) => void (report.cached += cached),
      readBooks: async (userIds) => {
        await time.sleep(latency());
        const found = new Map(userIds.map((user) => [user, books.get(user) ?? 0n]));
        await wake(latency());
        return new Map(
          [...found].map(([user, version]) => [user, { version, balances: [{ currency: "RUB", availableMinor: version, heldMinor: 0n }] }]),
        );
      },
    });
    const ending = new AbortController();
    void keepCacheOpen(
      { gate, row, marks, times: openerTimes, clock, everyMs: 50, steadyMs: 100, log: { debug: () => {}, info: () => {}, warn: () => {} } },
      ending.signal,
    );
    return { self, marked, reader };
  });

  const userOf = () => USERS[Math.floor(random() * USERS.length)] ?? "ann";
  const write = async ({ marked }: (typeof processes)[number]): Promise<void> => {
    const userId = userOf();
    const origin = { caller: "model", correlationId: "model" };
    const operation = depositOperation({ key: "k", userId, currency: "RUB", amountMinor: 1n, comment: "", origin });
    const { operationId } = await marked.post(operation);
    const version = BigInt(operationId);
    if (version > (answered.get(userId) ?? 0n)) answered.set(userId, version);
  };
  const read = async ({ self, reader }: (typeof processes)[number]): Promise<void> => {
    const user = userOf();
    const [committed, told] = [books.get(user) ?? 0n, answered.get(user) ?? 0n];
    const beganMs = time.nowMs();
    const { balances } = await reader.read(user);
    const found = balances[0]?.availableMinor ?? 0n;
    report.reads += 1;
    const words = `process ${self.number} read ${found} of ${user} from ${beganMs.toFixed(1)} to ${time.nowMs().toFixed(1)} ms; the books had ${committed}, told were ${told}`;
    if (found < committed) report.stale.push(words);
    if (found < told) report.staleAfterAnswer.push(words);
  };
  const forEver = async (work: (process: (typeof processes)[number]) => Promise<void>, pauseMs: number): Promise<void> => {
    for (;;) {
      const process = processes[Math.floor(random() * processes.length)];
      if (process !== undefined && !process.self.isDead) await Promise.race([work(process).catch(() => {}), time.sleep(1_000)]);
      await time.sleep(between(0, pauseMs));
    }
  };
  for (let client = 0; client < 3; client += 1) {
    void forEver(read, 10);
    void forEver(write, 60);
  }
  void (async () => {
    for (;;) {
      await time.sleep(between(5, 60));
      snapshot = copyOf(master.data);
    }
  })();

  const moveAll = (server: ModelRedis) => {
    for (const { self } of processes) void time.sleep(between(0, 150)).then(() => (self.redis = server));
  };
  const cause: Readonly<Record<Fault, () => void>> = {
    pause() {
      const server = master;
      server.isPaused = true;
      void time.sleep(between(5, 400)).then(() => (server.isPaused = false));
    },
    // One process does not reach Redis, and the others do.
    cut() {
      const process = processes[Math.floor(random() * processes.length)];
      if (process === undefined) return;
      process.self.redis = { ...newRedis(), isDead: true };
      void time.sleep(between(50, 500)).then(() => (process.self.redis = master));
    },
    restart() {
      const server = master;
      server.isDead = true;
      void time
        .sleep(between(1, 100))
        .then(() => Object.assign(server, { isDead: false, reign: `r${(reigns += 1)}`, data: copyOf(snapshot) }));
    },
    flush() {
      master.data = emptyData();
    },
    // The old master goes on for those that are still connected to it.
    "fail-over"() {
      const old = master;
      master = newRedis(copyOf(snapshot));
      moveAll(master);
      void time.sleep(between(50, 300)).then(() => (old.isMaster = false));
    },
    // The same server is a replica for a moment, and comes back with what another one had.
    "there-and-back"() {
      const server = master;
      server.isMaster = false;
      void time
        .sleep(between(1, 100))
        .then(() => Object.assign(server, { isMaster: true, reign: `r${(reigns += 1)}`, data: copyOf(snapshot) }));
    },
    stall() {
      const process = processes[Math.floor(random() * processes.length)];
      if (process !== undefined) process.self.stalledUntilMs = time.nowMs() + between(5, 40);
    },
    "long-stall"() {
      const process = processes[Math.floor(random() * processes.length)];
      if (process !== undefined) process.self.stalledUntilMs = time.nowMs() + between(100, 2_000);
    },
    death() {
      const process = processes.filter(({ self }) => !self.isDead)[1];
      if (process !== undefined) process.self.isDead = true;
    },
  };
  for (const { atMs, fault } of faults) void time.sleep(atMs).then(cause[fault]);
  await time.runUntil(WORLD_MS);
  return { ...report, epochs: gateRow.epoch };
}
