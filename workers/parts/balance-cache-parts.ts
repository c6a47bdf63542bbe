import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../src/adapters/log.ts";
import type { Metrics } from "../../src/adapters/metrics/metrics.ts";
import { createBalanceCache } from "../../src/adapters/redis/balance-cache.ts";
import type { RedisLink } from "../../src/adapters/redis/redis.ts";
import { gateTimes, type Gate, type GateTimes } from "../../src/domain/balances/cache-gate.ts";
import { createCacheGate } from "../../src/store/balance-cache/cache-gate.ts";
import { cachedBalances } from "../../src/store/balance-cache/cached-balances.ts";
import { compareCache, type CacheComparison } from "../../src/store/balance-cache/compare-cache.ts";
import { createGateRow } from "../../src/store/balance-cache/gate-row.ts";
import { markedLedger } from "../../src/store/balance-cache/marked-ledger.ts";
import { keepCacheOpen } from "../../src/store/balance-cache/open-cache.ts";
import { readVersionedBalances, type BalanceReader } from "../../src/store/ledger/balance-reader.ts";
import type { Ledger } from "../../src/store/ledger/ledger.ts";
import type { Database } from "../../src/store/postgres/database.ts";

/** What a process has of the cache of balances. Every process that posts has `marked`, whether it reads the cache or not. */
export interface BalanceCacheParts {
  /** The ledger, whose changes no read of the cache misses. */
  marked(ledger: Ledger): Ledger;
  /** Reads the cache, counts the reads, and from now on opens it whenever Redis takes writes. Once a process. */
  openReader(metrics: Pick<Metrics, "balancesRead">): BalanceReader;
  /** Compares up to `limit` users' cached balances with the books, and drops what is wrong. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
  compare(limit: number): Promise<CacheComparison>;
  /** How the cache stands. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
  gate(): Promise<Gate>;
  close(): Promise<void>;
}

/** What the parts are made of. */
export interface BalanceCacheSettings {
  readonly database: Database;
  readonly redis: RedisLink;
  readonly logger: Log;
  /** The deadline of a statement. */
  readonly deadlineMs: number;
  /** Tests leave a shorter time to each. */
  readonly times?: GateTimes;
  readonly everyMs?: number;
  readonly steadyMs?: number;
}

const RENEW_MS = { reader: 250, writer: 1_000 };
const EVERY_MS = 1_000;
const STEADY_MS = 3_000;
/** So long a process that begins waits for its connection to Redis before it marks, and how often it looks. */
const CONNECT_MS = 2_000;
const CONNECT_STEP_MS = 20;
/** A mark of a writer that died forbids its balances for so long at least. */
const MARK_MS = 60_000;

/** Opens the parts on a connection to Postgres of their own, which is made with the first use. */
export function openBalanceCache(settings: BalanceCacheSettings): BalanceCacheParts {
  const { database, redis, logger, everyMs = EVERY_MS, steadyMs = STEADY_MS } = settings;
  const times = settings.times ?? gateTimes(settings.deadlineMs);
  const closing = new AbortController();
  const lane = database.openLane("saldo-balance-cache");
  const row = createGateRow(lane, { slowMs: settings.deadlineMs / 2 });
  const clock = {
    nowMs: () => performance.now(),
    // Without the signal: hundreds of writers may wait at once.
    sleep: (ms: number) => sleep(ms, undefined, { ref: false }),
  };
  let renewMs = RENEW_MS.writer;
  const gate = createCacheGate({ row, times, clock, renewMs: () => renewMs });
  const cache = createBalanceCache(redis, { markMs: Math.max(MARK_MS, times.decisionMs + times.commitMs) });
  // A process that has just begun would close the cache for all others, for want of a connection that is on its way.
  const connectedByMs = clock.nowMs() + CONNECT_MS;
  const marks = {
    ...cache,
    mark: async (...marking: Parameters<typeof cache.mark>) => {
      while (redis.enabled && !redis.isUp() && clock.nowMs() < connectedByMs) await clock.sleep(CONNECT_STEP_MS);
      return cache.mark(...marking);
    },
  };
  const readBooks = (userIds: readonly string[]) => readVersionedBalances(database.db, userIds);
  const processId = randomUUID();
  let count = 0;
  const newName = () => `${processId}/${(count += 1)}`;
  return {
    marked: (ledger) => markedLedger(ledger, { gate, marks, times, clock, newMark: newName }),
    openReader(metrics) {
      renewMs = RENEW_MS.reader;
      void keepCacheOpen({ gate, row, marks, times, clock, everyMs, steadyMs, log: logger }, closing.signal);
      return cachedBalances({
        gate,
        marks,
        readBooks,
        newToken: newName,
        onRead({ users, cached }) {
          metrics.balancesRead("hit", cached);
          metrics.balancesRead(gate.readable() === undefined ? "books" : "miss", users - cached);
        },
      });
    },
    compare: (limit) => compareCache({ gate, content: marks, readBooks }, limit),
    gate: gate.ask,
    async close() {
      closing.abort();
      gate.stop();
      await lane.close();
    },
  };
}
