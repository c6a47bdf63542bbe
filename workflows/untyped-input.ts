import { ApplicationFailure } from "@temporalio/workflow";
import { OPERATOR_ACTS, type OperatorAct } from "../src/contract/operator-acts.ts";
import type { PaymentReply } from "../src/contract/saga-commands.ts";

/** The most characters of one text; the API sends no reason, name or key as long as this. */
const MAX_TEXT = 2_000;
/** Ten years: no order or reservation lasts as long. */
const MAX_ADVANCE_MS = 315_360_000_000;

/** The refusal of an update whose input cannot be read, INVALID_REQUEST. Thrown by a validator it leaves nothing in the history. */
export function unreadable(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, "INVALID_REQUEST");
}

/** True for text of 1 to `MAX_TEXT` characters. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_TEXT;
}

/** True for whole milliseconds above zero, ten years at most. */
export function isAdvance(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= MAX_ADVANCE_MS;
}

/** True for a moment as text, at most ten years from now. */
export function isMoment(value: unknown, nowMs: number): value is string {
  if (!isText(value) || !/^\d{4}-\d\d-\d\d/.test(value)) return false;
  // `Date.parse` gives NaN for a text that is not a moment, and NaN is never less.
  return Math.abs(Date.parse(value) - nowMs) < MAX_ADVANCE_MS;
}

/** The fields of a value that is an object; undefined for any other value. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

/**
 * The operator's decision in a signal's payload; undefined unless act, reason and actor can be read, so that no step is skipped or settled
 * by mistake.
 */
export function operatorActIn(value: unknown): OperatorAct | undefined {
  const { act: wanted, step, reason, actor } = fieldsOf(value) ?? {};
  const act = OPERATOR_ACTS.find((one) => one === wanted);
  if (act === undefined || !isText(reason) || !isText(actor)) return undefined;
  if (step === undefined || step === null) return { act, reason, actor };
  return isText(step) ? { act, step, reason, actor } : undefined;
}

/** The payment service's reply in a signal's payload; undefined unless its status is SUCCEEDED or FAILED. */
export function paymentReplyIn(value: unknown): PaymentReply | undefined {
  const { status, paymentId, error } = fieldsOf(value) ?? {};
  if (status !== "SUCCEEDED" && status !== "FAILED") return undefined;
  return { status, ...(isText(paymentId) ? { paymentId } : {}), ...(typeof error === "string" ? { error } : {}) };
}
