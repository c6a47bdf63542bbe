import { isCancellation, log } from "@temporalio/workflow";
import type { BalanceKey } from "../src/contract/balances.ts";
import { cacheSteps } from "./activity-proxies.ts";

/** Brings the cached balance up to date after a change. The money never waits for it and never fails with it. */
export async function refreshBalance({ userId, currency }: BalanceKey): Promise<void> {
  try {
    await cacheSteps.refreshBalance({ userId, currency });
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn("the balance cache was not refreshed", { userId, currency });
  }
}
