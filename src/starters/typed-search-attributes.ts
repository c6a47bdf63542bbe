import { defineSearchAttributeKey, TypedSearchAttributes } from "@temporalio/common";
import { SEARCH_ATTRIBUTES } from "../contract/search-attributes.ts";

/** The values that a workflow is found by. */
interface Searched {
  readonly userId?: string;
  readonly correlationId: string;
  readonly sagaState?: string;
  readonly reservationState?: string;
  readonly reportMonth?: string;
}

/** The search attributes that a workflow starts with; a value that is not given sets none. */
export function typedSearchAttributes(values: Searched): TypedSearchAttributes {
  const pair = (name: string, value: string | undefined) =>
    value === undefined ? [] : [{ key: defineSearchAttributeKey(name, "KEYWORD"), value }];
  return new TypedSearchAttributes([
    ...pair(SEARCH_ATTRIBUTES.userId, values.userId),
    ...pair(SEARCH_ATTRIBUTES.correlationId, values.correlationId),
    ...pair(SEARCH_ATTRIBUTES.sagaState, values.sagaState),
    ...pair(SEARCH_ATTRIBUTES.reservationState, values.reservationState),
    ...pair(SEARCH_ATTRIBUTES.reportMonth, values.reportMonth),
  ]);
}
