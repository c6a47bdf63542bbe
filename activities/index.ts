import type { ActivityDeps } from "./activity-deps.ts";
import { createSelfAuditActivities } from "./audit/self-audit.ts";
import { createCacheActivities } from "./beside/balance-cache.ts";
import { createOrderCacheRefresh } from "./beside/order-cache.ts";
import { tellingOrderEnds } from "./beside/order-ends.ts";
import { refreshingLedger } from "./beside/refreshing-ledger.ts";
import { createEventActivities } from "./events.ts";
import { withFailures } from "./failures.ts";
import { createOrderActivities } from "./orders.ts";
import { createPaymentActivities } from "./payments.ts";
import { createReportActivities } from "./reports.ts";
import { createReservationActivities } from "./reservations.ts";
import { createSagaPaymentActivities } from "./saga-payments.ts";
import { createWebhookActivities } from "./webhooks.ts";

export type { ActivityDeps } from "./activity-deps.ts";

/** Every activity of Saldo over its dependencies. What one throws reaches its workflow as an ApplicationFailure with a code. */
export function createActivities(deps: ActivityDeps) {
  const cache = createCacheActivities(deps);
  const ledger = refreshingLedger(deps.ledger, cache.refreshWallets);
  const refreshOrderCache = createOrderCacheRefresh(deps);
  const orderSteps = {
    ...createOrderActivities({ ...deps, ledger, refreshOrderCache }),
    ...createPaymentActivities({ ...deps, ledger, refreshOrderCache }),
  };
  return withFailures({
    ...tellingOrderEnds(orderSteps, deps),
    ...createReservationActivities({ ...deps, ledger }),
    ...cache,
    ...createEventActivities(deps),
    ...createReportActivities(deps),
    ...createSagaPaymentActivities({ ...deps, ledger }),
    ...createWebhookActivities(deps),
    ...createSelfAuditActivities({ ...deps, ledger }),
  });
}

export type Activities = ReturnType<typeof createActivities>;
