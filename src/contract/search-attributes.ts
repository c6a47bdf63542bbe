/**
 * The search attributes by which an operator finds a workflow; `temporal-config/search-attributes.json` registers them with the
 * server. Ids and states only: search attributes are never encrypted.
 */
export const SEARCH_ATTRIBUTES = {
  sagaState: "SagaState",
  reservationState: "ReservationState",
  userId: "UserId",
  correlationId: "CorrelationId",
  stuck: "Stuck",
  reportMonth: "ReportMonth",
} as const;
