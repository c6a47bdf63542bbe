import {
  listDeadLettersRoute,
  readDeadLetterRoute,
  redriveDeadLetterRoute,
  redriveDeadLettersRoute,
} from "../events/dead-letters-schemas.ts";
import { readEventReceiptRoute } from "../events/events-schemas.ts";
import { declareTopicRoute, listTopicsRoute } from "../events/topics-schemas.ts";
import {
  createApiKeyRoute,
  listApiKeysRoute,
  readApiKeyRoute,
  revokeApiKeyRoute,
  rotateApiKeyRoute,
} from "../identity/api-keys-schemas.ts";
import {
  disableLoginRoute,
  enableLoginRoute,
  loginRoute,
  logoutRoute,
  meRoute,
  passwordRoute,
  refreshRoute,
  registerRoute,
  revokeTokensRoute,
  rolesRoute,
} from "../identity/auth-schemas.ts";
import { deleteUserRoute, readUserRoute } from "../identity/users-schemas.ts";
import { depositRoute, readBalanceRoute, withdrawRoute } from "../money/balances-schemas.ts";
import { decideOperationAgainRoute, listOperationsRoute, readOperationRoute, whyOperationRoute } from "../money/operations-schemas.ts";
import { transferRoute } from "../money/transfers-schemas.ts";
import { auditRoute } from "../operations/audit-schemas.ts";
import { beginPauseRoute, endPauseRoute, listPausesRoute } from "../operations/pauses-schemas.ts";
import { advanceOrderClockRoute, operatorActRoute } from "../orders/operator-schemas.ts";
import {
  cancelOrderRoute,
  changeOrderRoute,
  createOrderRoute,
  deleteOrderRoute,
  listOrdersRoute,
  readOrderRoute,
} from "../orders/orders-schemas.ts";
import { listRefundsRoute, refundOrderRoute } from "../orders/refund-schemas.ts";
import { orderEventsRoute, timelineRoute, undoPlanRoute } from "../orders/story-schemas.ts";
import { takeStripeEventRoute } from "../psp/psp-schemas.ts";
import { createPurchaseRoute, listPurchasesRoute, readPurchaseRoute } from "../purchases/purchases-schemas.ts";
import {
  closeMonthRoute,
  diffReportRoute,
  listReportMonthsRoute,
  orderReportRoute,
  readReportCsvRoute,
  readReportRoute,
} from "../reports/reports-schemas.ts";
import { confirmMatchRoute, placeReservationLinesRoute, releaseMatchRoute } from "../reservations/reservation-lines-schemas.ts";
import { reservationTimelineRoute } from "../reservations/reservation-story-schemas.ts";
import {
  advanceReservationClockRoute,
  confirmReservationRoute,
  extendReservationRoute,
  listReservationsRoute,
  placeReservationRoute,
  readReservationRoute,
  releaseReservationRoute,
} from "../reservations/reservations-schemas.ts";
import { createServicesRoute, deleteServiceRoute, listServicesRoute, readServiceRoute } from "../services/services-schemas.ts";
import {
  createWebhookRoute,
  deleteWebhookRoute,
  enableWebhookRoute,
  listDeliveriesRoute,
  listWebhooksRoute,
  readWebhookRoute,
  redeliverRoute,
  rotateWebhookSecretRoute,
  testWebhookRoute,
} from "../webhooks/webhooks-schemas.ts";

/** Every route that the client can call, by the name of its function. */
export const CLIENT_ROUTES = {
  register: registerRoute,
  login: loginRoute,
  refresh: refreshRoute,
  logout: logoutRoute,
  me: meRoute,
  setRoles: rolesRoute,
  revokeTokens: revokeTokensRoute,
  changePassword: passwordRoute,
  disableLogin: disableLoginRoute,
  enableLogin: enableLoginRoute,
  createApiKey: createApiKeyRoute,
  listApiKeys: listApiKeysRoute,
  getApiKey: readApiKeyRoute,
  rotateApiKey: rotateApiKeyRoute,
  revokeApiKey: revokeApiKeyRoute,
  getBalance: readBalanceRoute,
  deposit: depositRoute,
  withdraw: withdrawRoute,
  transfer: transferRoute,
  listOperations: listOperationsRoute,
  getOperation: readOperationRoute,
  whyOperation: whyOperationRoute,
  decideOperationAgain: decideOperationAgainRoute,
  createServices: createServicesRoute,
  getService: readServiceRoute,
  listServices: listServicesRoute,
  deleteService: deleteServiceRoute,
  getUser: readUserRoute,
  deleteUser: deleteUserRoute,
  placeOrder: createOrderRoute,
  getOrder: readOrderRoute,
  listOrders: listOrdersRoute,
  changeOrder: changeOrderRoute,
  cancelOrder: cancelOrderRoute,
  deleteOrder: deleteOrderRoute,
  refundOrder: refundOrderRoute,
  listRefunds: listRefundsRoute,
  getUndoPlan: undoPlanRoute,
  getTimeline: timelineRoute,
  watchOrder: orderEventsRoute,
  actOnOrder: operatorActRoute,
  advanceOrderClock: advanceOrderClockRoute,
  beginPause: beginPauseRoute,
  listPauses: listPausesRoute,
  endPause: endPauseRoute,
  placeReservation: placeReservationRoute,
  placeReservationLines: placeReservationLinesRoute,
  getReservation: readReservationRoute,
  listReservations: listReservationsRoute,
  confirmReservation: confirmReservationRoute,
  releaseReservation: releaseReservationRoute,
  extendReservation: extendReservationRoute,
  confirmMatchingReservation: confirmMatchRoute,
  releaseMatchingReservation: releaseMatchRoute,
  getReservationTimeline: reservationTimelineRoute,
  advanceReservationClock: advanceReservationClockRoute,
  createPurchase: createPurchaseRoute,
  getPurchase: readPurchaseRoute,
  listPurchases: listPurchasesRoute,
  orderReport: orderReportRoute,
  listReportMonths: listReportMonthsRoute,
  getReport: readReportRoute,
  getReportCsv: readReportCsvRoute,
  diffReport: diffReportRoute,
  closeMonth: closeMonthRoute,
  listTopics: listTopicsRoute,
  declareTopic: declareTopicRoute,
  getEventReceipt: readEventReceiptRoute,
  listDeadLetters: listDeadLettersRoute,
  getDeadLetter: readDeadLetterRoute,
  redriveDeadLetter: redriveDeadLetterRoute,
  redriveDeadLetters: redriveDeadLettersRoute,
  createWebhook: createWebhookRoute,
  listWebhooks: listWebhooksRoute,
  getWebhook: readWebhookRoute,
  deleteWebhook: deleteWebhookRoute,
  enableWebhook: enableWebhookRoute,
  rotateWebhookSecret: rotateWebhookSecretRoute,
  testWebhook: testWebhookRoute,
  listWebhookDeliveries: listDeliveriesRoute,
  redeliverWebhook: redeliverRoute,
  audit: auditRoute,
  takeStripeEvent: takeStripeEventRoute,
} as const;
