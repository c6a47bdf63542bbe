import { ActivityFailure, ApplicationFailure, TimeoutFailure, log } from "@temporalio/workflow";
import { isErrorCode, messageOf, type ErrorCode } from "../../src/base/errors.ts";

/** Why a step failed: a code of the catalogue and words. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * The failure that a caught error stands for: a refusal keeps its code, a step that timed out is DEADLINE_EXCEEDED. Any other error is
 * a bug: it is logged here and becomes INTERNAL.
 */
export function failureOf(error: unknown): Failure {
  const failure = applicationFailureIn(error);
  if (failure !== undefined && isErrorCode(failure.type)) return { code: failure.type, message: failure.message };
  if (error instanceof ActivityFailure && error.cause instanceof TimeoutFailure)
    return { code: "DEADLINE_EXCEEDED", message: "a step did not answer in time" };
  log.error("an unexpected error in a workflow", { reason: messageOf(error), stack: error instanceof Error ? error.stack : undefined });
  return { code: "INTERNAL", message: "something went wrong on our side" };
}

/** The failure as one text, `CODE: message`, as rows and statuses show it to operators. */
export function wordsOf(error: unknown): string {
  const failure = failureOf(error);
  return `${failure.code}: ${failure.message}`;
}

/** True when an activity refused a step for good, so that asking again cannot help. */
export function isFinalRefusal(error: unknown): boolean {
  const failure = applicationFailureIn(error);
  return failure !== undefined && failure.nonRetryable === true;
}

/** True when a step must wait because captures are paused. */
export function isPause(error: unknown): boolean {
  return applicationFailureIn(error)?.type === "PAUSED";
}

function applicationFailureIn(error: unknown): ApplicationFailure | undefined {
  if (error instanceof ApplicationFailure) return error;
  return error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : undefined;
}
