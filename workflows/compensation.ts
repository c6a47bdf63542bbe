import { ActivityFailure, ApplicationFailure, TimeoutFailure, log } from "@temporalio/workflow";
import { isErrorCode, messageOf, type ErrorCode } from "../src/errors.ts";
import { enduringSteps, steps } from "./activity-proxies.ts";
import { showStuck } from "./search-attributes.ts";

/** What went wrong, as a code of the catalogue and words. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** The undo of a saga. Register each before its step: a step whose answer was lost must be undone too. */
export interface Compensations {
  add(name: string, undo: () => Promise<void>): void;
  /** Runs what was registered, the last first, one after the other. Call it in a non-cancellable scope. */
  run(onStep: (name: string) => void): Promise<void>;
}

export function createCompensations(): Compensations {
  const undos: { name: string; undo: () => Promise<void> }[] = [];
  return {
    add: (name, undo) => void undos.push({ name, undo }),
    async run(onStep) {
      for (let next = undos.pop(); next !== undefined; next = undos.pop()) {
        onStep(next.name);
        await next.undo();
      }
    },
  };
}

/**
 * Runs a step that must not be given up: at once with the fast retries, then without end as an ordinary activity, shown as stuck
 * as long as that lasts. Call it in a non-cancellable scope. Throws only what is final: a refusal with a code of the catalogue.
 */
export async function withoutEnd<Result>(step: (activities: typeof steps | typeof enduringSteps) => Promise<Result>): Promise<Result> {
  try {
    return await step(steps);
  } catch (error) {
    // A cancelled try is no answer either: nobody can cancel here, but a worker that loses its task drops the step like that.
    if (isFinalRefusal(error)) throw error;
  }
  showStuck(true);
  try {
    return await step(enduringSteps);
  } finally {
    showStuck(false);
  }
}

/** True when a step was refused for good and asking again cannot help. */
export function isFinalRefusal(error: unknown): boolean {
  const failure = applicationFailureIn(error);
  return failure !== undefined && failure.nonRetryable === true;
}

/** What a caught error means. What has no code of the catalogue is a bug: it is logged here and becomes INTERNAL. */
export function failureOf(error: unknown): Failure {
  const failure = applicationFailureIn(error);
  if (failure !== undefined && isErrorCode(failure.type)) return { code: failure.type, message: failure.message };
  if (error instanceof ActivityFailure && error.cause instanceof TimeoutFailure)
    return { code: "DEADLINE_EXCEEDED", message: "a step did not answer in time" };
  log.error("an unexpected error in a workflow", { reason: messageOf(error), stack: error instanceof Error ? error.stack : undefined });
  return { code: "INTERNAL", message: "something went wrong on our side" };
}

function applicationFailureIn(error: unknown): ApplicationFailure | undefined {
  if (error instanceof ApplicationFailure) return error;
  return error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : undefined;
}
