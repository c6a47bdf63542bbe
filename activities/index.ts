import type { ActivityDeps } from "./activity-deps.ts";
import { createCachedBalanceCheck } from "./audit/cached-balances.ts";
import { createHousekeeping } from "./audit/housekeeping.ts";
import { createLostOrderCheck } from "./audit/lost-orders.ts";
import { createProofActivities } from "./audit/proof.ts";
import { createReservationSweep } from "./audit/sweep-reservations.ts";
import { createWaitingChecks } from "./audit/waiting-work.ts";
import { createOrderCacheRefresh } from "./beside/order-cache.ts";
import { tellingOrderEnds } from "./beside/order-ends.ts";
import { tellingPlacedHolds } from "./beside/placed-holds.ts";
import { createRefreshWallets } from "./beside/refresh-wallets.ts";
import { createEventActivities } from "./events.ts";
import { withFailures } from "./failures.ts";
import { createOrderActivities } from "./orders/orders.ts";
import { createPauseActivities } from "./pausing.ts";
import { createPaymentActivities } from "./payments.ts";
import { createRefundActivities } from "./refunds.ts";
import { createReportActivities } from "./reports.ts";
import { createReservationActivities } from "./reservations.ts";
import { createSagaPaymentActivities } from "./saga-payments.ts";
import { createWebhookActivities } from "./webhooks.ts";

export type { ActivityDeps } from "./activity-deps.ts";

/** Every activity of Saldo over its dependencies. An error reaches the activity's workflow as an ApplicationFailure with a code. */
export function createActivities(deps: ActivityDeps) {
  const refreshOrderCache = createOrderCacheRefresh(deps);
  const orderSteps = {
    ...createOrderActivities({ ...deps, refreshOrderCache }),
    ...createPaymentActivities({ ...deps, refreshOrderCache }),
    ...createSagaPaymentActivities(deps),
  };
  return withFailures({
    ...tellingOrderEnds(orderSteps, deps),
    ...createRefundActivities(deps),
    ...createPauseActivities(deps),
    ...tellingPlacedHolds(createReservationActivities(deps), deps),
    ...createRefreshWallets(),
    ...createEventActivities(deps),
    ...createReportActivities(deps),
    ...createWebhookActivities(deps),
    ...createReservationSweep(deps),
    ...createLostOrderCheck(deps),
    ...createWaitingChecks(deps),
    ...createCachedBalanceCheck(deps),
    ...createProofActivities(deps),
    ...createHousekeeping(deps),
  });
}

export type Activities = ReturnType<typeof createActivities>;
