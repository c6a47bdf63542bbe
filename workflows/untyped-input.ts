import { ApplicationFailure } from "@temporalio/workflow";
import { OPERATOR_ACTS, type OperatorAct } from "../src/contract/operator-acts.ts";
import type { PaymentReply } from "../src/contract/saga-commands.ts";

/** Longer than anything the API sends: an operator's words, a name, a key. */
const MAX_TEXT = 2_000;
/** Ten years: no order or reservation lasts as long. */
const MAX_ADVANCE_MS = 315_360_000_000;

/** A refusal of an update whose input cannot be read. Thrown by a validator it leaves nothing in the history. */
export function unreadable(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, "INVALID_REQUEST");
}

/** True for text that is not empty and not longer than what may be kept. */
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
  // A text that is no moment is not a number, and so never less.
  return Math.abs(Date.parse(value) - nowMs) < MAX_ADVANCE_MS;
}

/** The fields of what was sent; undefined when it has none. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

/** An operator's decision as it was sent; undefined when it is none: nothing may be skipped or settled by what only looks like one. */
export function operatorActIn(value: unknown): OperatorAct | undefined {
  const { act: wanted, step, reason, actor } = fieldsOf(value) ?? {};
  const act = OPERATOR_ACTS.find((one) => one === wanted);
  if (act === undefined || !isText(reason) || !isText(actor)) return undefined;
  if (step === undefined || step === null) return { act, reason, actor };
  return isText(step) ? { act, step, reason, actor } : undefined;
}

/** The payment service's answer as it was sent; undefined when it is none. */
export function paymentReplyIn(value: unknown): PaymentReply | undefined {
  const { status, paymentId, error } = fieldsOf(value) ?? {};
  if (status !== "SUCCEEDED" && status !== "FAILED") return undefined;
  return { status, ...(isText(paymentId) ? { paymentId } : {}), ...(typeof error === "string" ? { error } : {}) };
}
