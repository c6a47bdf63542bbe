import { messageOf } from "../src/errors.ts";
import { readBalances } from "../src/store/balances.ts";
import type { ActivityDeps } from "./activity-deps.ts";

/** What keeps the cache fresh. No money decision reads it, so nothing here ever fails. */
export function createCacheActivities({ db, balanceCache, logger }: Pick<ActivityDeps, "db" | "balanceCache" | "logger">) {
  return {
    /** Brings the user's balance into the cache. Safe to retry: an older value never overwrites a newer one. Never throws. */
    async refreshBalance(input: { readonly userId: string; readonly currency: string }): Promise<void> {
      if (!balanceCache.enabled) return;
      try {
        await balanceCache.put(await readBalances(db, [input]));
      } catch (error) {
        logger.debug({ reason: messageOf(error) }, "the balance was not cached");
      }
    },
  };
}
