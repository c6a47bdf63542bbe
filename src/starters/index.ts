import { createCalls, type Calls, type StarterOptions } from "./calls.ts";
import { createEventStarters, type EventStarters } from "./events.ts";
import { createOrderStarters, type OrderStarters } from "./orders.ts";
import { createRefundStarters, type RefundStarters } from "./refunds.ts";
import { createReportStarters, type ReportStarters } from "./reports.ts";
import { createReservationStarters, type ReservationStarters } from "./reservations.ts";
import { createSagaCommandStarters, type SagaCommandStarters } from "./saga-commands.ts";

/**
 * The only place that starts, updates and queries workflows. Every call has a deadline.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED when Temporal is not reachable or too slow, and the catalogue's code that a workflow
 * refused with.
 * Calls on a workflow that is closed or was never there answer undefined: the caller then reads Postgres.
 */
export type Starters = OrderStarters &
  RefundStarters &
  ReservationStarters &
  ReportStarters &
  EventStarters &
  SagaCommandStarters &
  Pick<Calls, "isOpen">;

/** The starters over a client of Temporal. */
export function createStarters(options: StarterOptions): Starters {
  const calls = createCalls(options);
  return {
    ...createOrderStarters(calls, options),
    ...createRefundStarters(calls),
    ...createReservationStarters(calls, options),
    ...createReportStarters(calls),
    ...createEventStarters(calls, options),
    ...createSagaCommandStarters(calls, options),
    isOpen: (workflowId) => calls.isOpen(workflowId),
  };
}
