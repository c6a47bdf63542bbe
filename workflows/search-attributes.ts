import { defineSearchAttributeKey } from "@temporalio/common";
import { upsertSearchAttributes } from "@temporalio/workflow";
import type { SagaState } from "../src/contract/orders.ts";
import { SEARCH_ATTRIBUTES } from "../src/contract/search-attributes.ts";

const SAGA_STATE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.sagaState, "KEYWORD");
const REPORT_MONTH = defineSearchAttributeKey(SEARCH_ATTRIBUTES.reportMonth, "KEYWORD");
const RESERVATION_STATE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.reservationState, "KEYWORD");

const STUCK = defineSearchAttributeKey(SEARCH_ATTRIBUTES.stuck, "BOOL");

/** Shows that a step which must not be given up is past its fast retries: an operator should find out why. */
export function showStuck(stuck: boolean): void {
  upsertSearchAttributes([{ key: STUCK, value: stuck }]);
}

/** Makes the saga's state searchable. */
export function showSagaState(state: SagaState): void {
  upsertSearchAttributes([{ key: SAGA_STATE, value: state }]);
}

/** Makes the reservation's state searchable; a `refused` reservation never held any money. */
export function showReservationState(state: string): void {
  upsertSearchAttributes([{ key: RESERVATION_STATE, value: state }]);
}

/** Makes the report's month (YYYY-MM) searchable. */
export function showReportMonth(month: string): void {
  upsertSearchAttributes([{ key: REPORT_MONTH, value: month }]);
}
