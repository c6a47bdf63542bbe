import { createBatcher } from "../../base/batching.ts";
import { dropOldest } from "../../base/drop-oldest.ts";
import type { KnownGate } from "../../domain/balances/cache-gate.ts";
import type { BalanceReader, UserBalances, VersionedBalances } from "../ledger/balance-reader.ts";
import type { BalanceMarks } from "./balance-marks.ts";
import { balancesFromText, balancesToText, NO_BALANCES } from "./balance-text.ts";
import type { CacheGate } from "./cache-gate.ts";

export interface CachedBalancesOptions {
  readonly gate: CacheGate;
  readonly marks: BalanceMarks;
  /** The books, from one snapshot that is taken after the call. A user without an account is left out. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
  readonly readBooks: (userIds: readonly string[]) => Promise<ReadonlyMap<string, VersionedBalances>>;
  /** Another one at each call, in no other process either. */
  readonly newToken: () => string;
  /** Told of each batch: how many users were asked for, and how many of them the cache had. */
  readonly onRead?: (read: { readonly users: number; readonly cached: number }) => void;
}

const MAX_BATCH = 200;
const PARALLEL = 2;
/** Versions of so many users are remembered, some megabytes. */
const MAX_SEEN = 20_000;

/**
 * Reads balances from the cache and, what is not there, from the books; callers of the same moment share each. No change that was
 * committed before the call is missing, as from the books alone: `markedLedger` keeps the other half of that promise.
 */
export function cachedBalances(options: CachedBalancesOptions): BalanceReader {
  const { gate, marks, readBooks, newToken, onRead } = options;
  const seen = new Map<string, bigint>();

  const note = (userId: string, version: bigint): void => {
    if (version <= (seen.get(userId) ?? -1n)) return;
    seen.delete(userId);
    seen.set(userId, version);
    dropOldest(seen, MAX_SEEN);
  };
  /** A text that is older than what this process has seen of the user is no answer. */
  const believed = (userId: string, text: string): VersionedBalances | undefined => {
    const balances = balancesFromText(text);
    return balances !== undefined && balances.version >= (seen.get(userId) ?? 0n) ? balances : undefined;
  };
  const fill = (epoch: KnownGate, token: string, userIds: readonly string[], books: ReadonlyMap<string, VersionedBalances>): void => {
    const texts = userIds.map((userId) => ({ userId, text: balancesToText(books.get(userId) ?? NO_BALANCES) }));
    // Beside the answer, which does not wait for it.
    if (texts.length > 0) void marks.fillIn(epoch, token, texts);
  };
  const run = async (askedFor: readonly string[]): Promise<UserBalances[]> => {
    const asOf = new Date();
    const userIds = [...new Set(askedFor)];
    const epoch = gate.readable();
    const token = newToken();
    const answers = epoch === undefined ? "unknown" : await marks.read(epoch, token, userIds);
    // Whoever finds the epoch over tells the others.
    if (epoch !== undefined && answers === "ended") void gate.close(epoch.epoch).catch(() => undefined);
    const isLeased = epoch !== undefined && gate.readable()?.epoch === epoch.epoch;
    const found = new Map<string, VersionedBalances>();
    const due: string[] = [];
    for (const [place, userId] of userIds.entries()) {
      const answer = isLeased && typeof answers !== "string" ? answers[place] : undefined;
      const cached = answer?.text === undefined ? undefined : believed(userId, answer.text);
      if (cached !== undefined) found.set(userId, cached);
      else if (answer?.text === undefined && answer?.mayFill === true) due.push(userId);
    }
    onRead?.({ users: userIds.length, cached: found.size });
    const missing = userIds.filter((userId) => !found.has(userId));
    if (missing.length > 0) {
      const books = await readBooks(missing);
      if (epoch !== undefined) fill(epoch, token, due, books);
      for (const userId of missing) found.set(userId, books.get(userId) ?? NO_BALANCES);
    }
    for (const [userId, { version }] of found) note(userId, version);
    return askedFor.map((userId) => ({ asOf, balances: (found.get(userId) ?? NO_BALANCES).balances }));
  };
  return { read: createBatcher({ maxBatch: MAX_BATCH, parallel: PARALLEL, run }) };
}
