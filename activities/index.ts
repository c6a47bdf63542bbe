import type { ActivityDeps } from "./activity-deps.ts";
import { createCacheActivities } from "./cache.ts";
import { createEventActivities } from "./events.ts";
import { withFailures } from "./failures.ts";
import { createLedgerActivities } from "./ledger.ts";
import { createOrderActivities } from "./orders.ts";
import { createReportActivities } from "./reports.ts";

export type { ActivityDeps } from "./activity-deps.ts";

/** Every activity of Saldo over its dependencies. What one throws reaches its workflow as an ApplicationFailure with a code. */
export function createActivities(deps: ActivityDeps) {
  return withFailures({
    ...createOrderActivities(deps),
    ...createLedgerActivities(deps),
    ...createCacheActivities(deps),
    ...createEventActivities(deps),
    ...createReportActivities(deps),
  });
}

export type Activities = ReturnType<typeof createActivities>;
