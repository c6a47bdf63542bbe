import { createBatcher } from "../../src/base/batching.ts";
import { dropOldest } from "../../src/base/drop-oldest.ts";
import { messageOf } from "../../src/base/errors.ts";
import type { BalanceKey } from "../../src/contract/balances.ts";
import { readBalances } from "../../src/store/ledger/balances.ts";
import type { ActivityDeps } from "../activity-deps.ts";

/** Brings the balances of these wallets into the cache, now or as soon as the cache can be told. Never throws. */
export type RefreshBalances = (wallets: readonly BalanceKey[]) => Promise<void>;

const MAX_BATCH = 200;
/** How often a cache that could not be told is tried again. */
const RETRY_MS = 1_000;
/** What the cache holds of a wallet ends by itself after so long. */
const LIFETIME_MS = 600_000;
/** Some megabytes. The oldest are left out first: what the cache holds of them ends the soonest. */
const MAX_DUE = 50_000;

/**
 * Keeps the balance cache fresh: reads the balances of callers of the same moment with one statement and puts them. Wallets whose new
 * balance the cache could not be told stay due until it has been, so that it does not go on with the old one. Those that a process
 * which dies had due are mended by their next change, or end.
 */
export function createBalanceRefresh({ db, balanceCache, logger }: Pick<ActivityDeps, "db" | "balanceCache" | "logger">): RefreshBalances {
  if (!balanceCache.enabled) return async () => {};
  const due = new Map<string, { readonly wallet: BalanceKey; readonly untilMs: number }>();
  let retry: NodeJS.Timeout | undefined;

  const tell = createBatcher<BalanceKey, boolean>({
    maxBatch: MAX_BATCH,
    parallel: 1,
    run: async (wallets) => {
      const told = balanceCache.isUp() && (await balanceCache.put(await readBalances(db, distinct(wallets))));
      return wallets.map(() => told);
    },
  });
  const refresh = async (wallet: BalanceKey, untilMs: number): Promise<void> => {
    const told = await tell(wallet).catch((error: unknown) => {
      logger.debug({ reason: messageOf(error) }, "balances were not cached");
      return false;
    });
    if (told) return;
    due.set(keyOf(wallet), { wallet, untilMs });
    dropOldest(due, MAX_DUE);
    retry ??= setTimeout(refreshDue, RETRY_MS).unref();
  };
  const refreshDue = (): void => {
    retry = undefined;
    if (!balanceCache.isUp()) {
      retry = setTimeout(refreshDue, RETRY_MS).unref();
      return;
    }
    const again = [...due.values()];
    due.clear();
    for (const { wallet, untilMs } of again) if (untilMs > Date.now()) void refresh(wallet, untilMs);
  };
  return async (wallets) => {
    const untilMs = Date.now() + LIFETIME_MS;
    await Promise.all(wallets.map((wallet) => refresh(wallet, untilMs)));
  };
}

/** The activity that keeps the balance cache fresh. No decision about money reads the cache, so the activity never fails. */
export function createCacheActivities(refresh: RefreshBalances) {
  return {
    /** Reads the balances and puts them into the cache. Safe to retry: an older value never overwrites a newer one. Never throws. */
    refreshWallets: ({ wallets }: { readonly wallets: readonly BalanceKey[] }): Promise<void> => refresh(wallets),
  };
}

function keyOf({ userId, currency }: BalanceKey): string {
  return `${currency}:${userId}`;
}

function distinct(wallets: readonly BalanceKey[]): BalanceKey[] {
  return [...new Map(wallets.map((wallet) => [keyOf(wallet), wallet])).values()];
}
