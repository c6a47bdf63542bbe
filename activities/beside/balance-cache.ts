import { messageOf } from "../../src/base/errors.ts";
import type { BalanceKey } from "../../src/contract/balances.ts";
import { readBalances } from "../../src/store/ledger/balances.ts";
import type { ActivityDeps } from "../activity-deps.ts";

/** The activity that keeps the balance cache fresh. No decision about money reads the cache, so the activity never fails. */
export function createCacheActivities({ db, balanceCache, logger }: Pick<ActivityDeps, "db" | "balanceCache" | "logger">) {
  return {
    /** Reads the balances once and puts them into the cache. Safe to retry: an older value never overwrites a newer one. Never throws. */
    async refreshWallets({ wallets }: { readonly wallets: readonly BalanceKey[] }): Promise<void> {
      if (!balanceCache.enabled || wallets.length === 0) return;
      try {
        await balanceCache.put(await readBalances(db, wallets));
      } catch (error) {
        logger.debug({ reason: messageOf(error) }, "balances were not cached");
      }
    },
  };
}
