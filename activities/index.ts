import type { ActivityDeps } from "./activity-deps.ts";
import { createHousekeeping } from "./audit/housekeeping.ts";
import { createLostOrderCheck } from "./audit/lost-orders.ts";
import { createProofActivities } from "./audit/proof.ts";
import { createReservationSweep } from "./audit/sweep-reservations.ts";
import { createWaitingChecks } from "./audit/waiting-work.ts";
import { createBalanceRefresh, createCacheActivities } from "./beside/balance-cache.ts";
import { createOrderCacheRefresh } from "./beside/order-cache.ts";
import { tellingOrderEnds } from "./beside/order-ends.ts";
import { tellingPlacedHolds } from "./beside/placed-holds.ts";
import { refreshingLedger } from "./beside/refreshing-ledger.ts";
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
  const refreshBalances = createBalanceRefresh(deps);
  const ledger = refreshingLedger(deps.ledger, refreshBalances);
  const refreshOrderCache = createOrderCacheRefresh(deps);
  const orderSteps = {
    ...createOrderActivities({ ...deps, ledger, refreshOrderCache }),
    ...createPaymentActivities({ ...deps, ledger, refreshOrderCache }),
    ...createSagaPaymentActivities({ ...deps, ledger }),
  };
  return withFailures({
    ...tellingOrderEnds(orderSteps, deps),
    ...createRefundActivities({ ...deps, ledger }),
    ...createPauseActivities(deps),
    ...tellingPlacedHolds(createReservationActivities({ ...deps, ledger }), deps),
    ...createCacheActivities(refreshBalances),
    ...createEventActivities({ ...deps, refreshBalances }),
    ...createReportActivities(deps),
    ...createWebhookActivities(deps),
    ...createReservationSweep({ ...deps, ledger }),
    ...createLostOrderCheck(deps),
    ...createWaitingChecks(deps),
    ...createProofActivities(deps),
    ...createHousekeeping(deps),
  });
}

export type Activities = ReturnType<typeof createActivities>;
