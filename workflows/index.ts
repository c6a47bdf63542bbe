export { closeMonth } from "./close-month.ts";
export { eventBatch } from "./event-batch.ts";
export { orderRefund } from "./order-refund.ts";
export { orderSaga } from "./order-saga.ts";
export { reservation } from "./reservation.ts";
export { revenueReport } from "./revenue-report.ts";
export { sagaCommand } from "./saga-command.ts";
export { webhookDelivery } from "./webhook-delivery.ts";
export { housekeeping, selfAudit } from "./self-audit.ts";
