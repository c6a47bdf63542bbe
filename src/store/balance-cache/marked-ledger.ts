import { isLate, type GateTimes, type KnownGate } from "../../domain/balances/cache-gate.ts";
import type { Operation } from "../../domain/ledger/operations.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { BalanceMarks } from "./balance-marks.ts";
import type { CacheClock, CacheGate } from "./cache-gate.ts";

export interface MarkedLedgerOptions {
  readonly gate: CacheGate;
  readonly marks: BalanceMarks;
  readonly times: GateTimes;
  readonly clock: CacheClock;
  /** Another one at each call, in no other process either. */
  readonly newMark: () => string;
}

/** What a writer did before its commit. `mark` is undefined where nobody read the cache. */
interface Pass {
  readonly known: KnownGate;
  readonly mark: string | undefined;
  readonly userIds: readonly string[];
}

/**
 * A ledger whose changes no read of the cached balances misses. Before the statement the users' balances are marked in the cache, so that
 * nobody reads there what is about to be old; after the commit, and before the caller is told, the mark is taken away. When Redis cannot
 * be told, the cache is closed for all processes first. A writer that dies, or whose outcome is not known, leaves its mark behind.
 * Throws as `ledger`, and UNAVAILABLE before anything is posted when Postgres cannot be asked how the cache stands.
 */
export function markedLedger(ledger: Ledger, options: MarkedLedgerOptions): Ledger {
  const around = async <Result>(operations: readonly Operation[], post: () => Promise<Result>): Promise<Result> => {
    const userIds = usersOf(operations);
    if (userIds.length === 0) return post();
    const pass = await markFirst(options, userIds);
    const result = await post();
    await settle(options, pass);
    return result;
  };
  return {
    ...ledger,
    post: (operation) => around([operation], () => ledger.post(operation)),
    postAll: (operations) => around(operations, () => ledger.postAll(operations)),
    postPair: (pair) => around(pair, () => ledger.postPair(pair)),
  };
}

async function markFirst({ gate, marks, newMark }: MarkedLedgerOptions, userIds: readonly string[]): Promise<Pass> {
  for (;;) {
    const { act, known } = await gate.decide();
    if (act === "go") return { known, mark: undefined, userIds };
    const mark = newMark();
    if ((await marks.mark(known, mark, userIds)) === "done") return { known, mark, userIds };
    await gate.close(known.epoch);
  }
}

/** The commit stands, whatever comes of this: it never throws. */
async function settle({ gate, marks, times, clock, newMark }: MarkedLedgerOptions, { known, mark, userIds }: Pass): Promise<void> {
  try {
    if (mark !== undefined && (await marks.settle(known, mark, userIds)) === "unknown") await closeAndWait(gate, known.epoch);
    // A process that was stopped for long between its decision and its commit.
    while (isLate(known, clock.nowMs(), times)) {
      const { act, known: now } = await gate.decide();
      if (act === "go" || (await marks.settle(now, newMark(), userIds)) === "done") return;
      await gate.close(now.epoch);
    }
  } catch {
    // Postgres is away, and with it the leases of all readers end; a mark that stands forbids its minute.
  }
}

/** Settles when no process can still hold a lease on the epoch. */
async function closeAndWait(gate: CacheGate, epoch: number): Promise<void> {
  await gate.close(epoch);
  await gate.decide();
}

/** The users whose wallets the operations touch. */
function usersOf(operations: readonly Operation[]): string[] {
  const users = new Set<string>();
  for (const { postings } of operations)
    for (const { debit, credit } of postings)
      for (const { kind, owner } of [debit, credit]) if (kind === "available" || kind === "held") users.add(owner);
  return [...users];
}
