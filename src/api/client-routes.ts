import { auditRoute } from "./schemas/audit.ts";
import { loginRoute, logoutRoute, meRoute, refreshRoute, registerRoute, rolesRoute } from "./schemas/auth.ts";
import { depositRoute, readBalanceRoute, withdrawRoute } from "./schemas/balances.ts";
import { listOperationsRoute, readOperationRoute, whyOperationRoute } from "./schemas/operations.ts";
import {
  advanceOrderClockRoute,
  cancelOrderRoute,
  changeOrderRoute,
  createOrderRoute,
  deleteOrderRoute,
  listOrdersRoute,
  listRefundsRoute,
  operatorActRoute,
  orderEventsRoute,
  readOrderRoute,
  refundOrderRoute,
  timelineRoute,
  undoPlanRoute,
} from "./schemas/orders.ts";
import { beginPauseRoute, endPauseRoute, listPausesRoute } from "./schemas/pauses.ts";
import { createPurchaseRoute, listPurchasesRoute, readPurchaseRoute } from "./schemas/purchases.ts";
import { diffReportRoute, listReportMonthsRoute, orderReportRoute, readReportCsvRoute, readReportRoute } from "./schemas/reports.ts";
import {
  advanceReservationClockRoute,
  confirmMatchRoute,
  confirmReservationRoute,
  extendReservationRoute,
  listReservationsRoute,
  placeReservationRoute,
  readReservationRoute,
  releaseMatchRoute,
  releaseReservationRoute,
} from "./schemas/reservations.ts";
import { createServicesRoute, deleteServiceRoute, listServicesRoute, readServiceRoute } from "./schemas/services.ts";
import { transferRoute } from "./schemas/transfers.ts";
import { deleteUserRoute, readUserRoute } from "./schemas/users.ts";

/** What the client can ask, by the name it has there. */
export const CLIENT_ROUTES = {
  register: registerRoute,
  login: loginRoute,
  refresh: refreshRoute,
  logout: logoutRoute,
  me: meRoute,
  setRoles: rolesRoute,
  getBalance: readBalanceRoute,
  deposit: depositRoute,
  withdraw: withdrawRoute,
  transfer: transferRoute,
  listOperations: listOperationsRoute,
  getOperation: readOperationRoute,
  whyOperation: whyOperationRoute,
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
  getReservation: readReservationRoute,
  listReservations: listReservationsRoute,
  confirmReservation: confirmReservationRoute,
  releaseReservation: releaseReservationRoute,
  extendReservation: extendReservationRoute,
  confirmMatchingReservation: confirmMatchRoute,
  releaseMatchingReservation: releaseMatchRoute,
  advanceReservationClock: advanceReservationClockRoute,
  createPurchase: createPurchaseRoute,
  getPurchase: readPurchaseRoute,
  listPurchases: listPurchasesRoute,
  orderReport: orderReportRoute,
  listReportMonths: listReportMonthsRoute,
  getReport: readReportRoute,
  getReportCsv: readReportCsvRoute,
  diffReport: diffReportRoute,
  audit: auditRoute,
} as const;
