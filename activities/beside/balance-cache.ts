import { messageOf } from "../../src/base/errors.ts";
import type { BalanceKey } from "../../src/contract/balances.ts";
import { readBalances } from "../../src/store/ledger/balances.ts";
import type { ActivityDeps } from "../activity-deps.ts";

/** What keeps the cache fresh. No money decision reads it, so nothing here ever fails. */
export function createCacheActivities({ db, balanceCache, logger }: Pick<ActivityDeps, "db" | "balanceCache" | "logger">) {
  return {
    /** Brings balances into the cache with one reading. Safe to retry: an older value never overwrites a newer one. Never throws. */
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
