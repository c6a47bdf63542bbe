import { DomainError } from "../../base/errors.ts";
import { beforeCommit, learn, mayRead, type Gate, type GateTimes, type KnownGate } from "../../domain/balances/cache-gate.ts";
import type { GateRow } from "./gate-row.ts";

/** A monotonic clock of the process, in milliseconds. */
export interface CacheClock {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

/** What a process knows of the gate of cached balances. */
export interface CacheGate {
  /** The gate while it is open and this process may read the cache; undefined otherwise. */
  readable(): KnownGate | undefined;
  /**
   * What a writer has to know before it commits: whether it marks or goes without a mark. Waits while leases of a closed epoch may stand.
   * Throws: UNAVAILABLE, DEADLINE_EXCEEDED when Postgres cannot be asked.
   */
  decide(): Promise<{ readonly act: "mark" | "go"; readonly known: KnownGate }>;
  /** Reads the row. Callers of the same moment share the statement. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
  ask(): Promise<KnownGate>;
  /** Closes the epoch; who then commits must `decide` first. Callers share the statement. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
  close(epoch: number): Promise<KnownGate>;
  /** Takes over what another statement of this process answered, sent at `askedAtMs`. */
  learn(gate: Gate, askedAtMs: number): KnownGate;
  stop(): void;
}

export interface CacheGateOptions {
  readonly row: GateRow;
  readonly times: GateTimes;
  readonly clock: CacheClock;
  /** How often the row is read while the gate is in use. */
  readonly renewMs: () => number;
}

/** A gate that nobody asked about for so long is asked for no longer. */
const IDLE_MS = 5_000;
/** A writer that is held up longer than its decision stands asks again; so often at most. */
const MAX_DECISIONS = 10;

/** Opens what this process knows of the gate. It asks at once, so that the wait after a closing is over when the first request comes. */
export function createCacheGate({ row, times, clock, renewMs }: CacheGateOptions): CacheGate {
  let known: KnownGate | undefined;
  let asking: Promise<KnownGate> | undefined;
  let usedAtMs = -Infinity;
  let isRenewing = false;
  const stopping = new AbortController();
  const closings = new Map<number, Promise<KnownGate>>();

  const take = (gate: Gate, askedAtMs: number): KnownGate => {
    known = learn(known, gate, { askedAtMs, nowMs: clock.nowMs() });
    return known;
  };
  const sent = async (statement: () => Promise<Gate>): Promise<KnownGate> => {
    const askedAtMs = clock.nowMs();
    return take(await statement(), askedAtMs);
  };
  const ask = () => (asking ??= sent(row.read).finally(() => (asking = undefined)));
  const renew = async (): Promise<void> => {
    while (!stopping.signal.aborted && clock.nowMs() - usedAtMs < IDLE_MS) {
      await clock.sleep(renewMs());
      if (!stopping.signal.aborted) await ask().catch(() => undefined);
    }
    isRenewing = false;
  };
  const used = (): void => {
    usedAtMs = clock.nowMs();
    if (isRenewing) return;
    isRenewing = true;
    void renew();
  };
  void ask().catch(() => undefined);

  return {
    readable() {
      used();
      return mayRead(known, clock.nowMs(), times) ? known : undefined;
    },
    async decide() {
      used();
      for (let count = 0; count < MAX_DECISIONS; count += 1) {
        const decision = beforeCommit(known, clock.nowMs(), times);
        if (decision.act === "ask") await ask();
        else if (decision.act === "wait") await clock.sleep(decision.forMs);
        else return decision;
      }
      throw new DomainError("UNAVAILABLE", "whether balances are cached is not known");
    },
    ask,
    close(epoch) {
      const closing = closings.get(epoch) ?? sent(() => row.close(epoch)).finally(() => closings.delete(epoch));
      closings.set(epoch, closing);
      return closing;
    },
    learn: take,
    stop() {
      stopping.abort();
    },
  };
}
