import { ActivityFailure, ApplicationFailure, TimeoutFailure, log, patched } from "@temporalio/workflow";
import { COMPENSATION_SLOW_MS, COMPENSATION_SLOWEST_MS, type OrderSagaInput, type UndoStep } from "../src/contract/orders.ts";
import { isErrorCode, messageOf, type ErrorCode } from "../src/errors.ts";
import { compensationSteps, enduringSteps, noteSteps, steps, type OrderSteps } from "./activity-proxies.ts";
import type { OrderProgress } from "./order-progress.ts";
import type { SagaClock } from "./saga-clock.ts";
import { showStuck } from "./search-attributes.ts";

/** What went wrong, as a code of the catalogue and words. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** One thing to undo. It must do nothing when its step never happened, and the same when it is asked twice. */
export interface Compensation {
  readonly name: string;
  readonly undo: (by: OrderSteps) => Promise<void>;
  /** True when it leaves the house: it is then never run inside a workflow task. */
  readonly remote: boolean;
  /** What it would reverse now, in minor units; undefined when nothing is there to reverse. */
  readonly reversesMinor: () => string | undefined;
}

/** The undo of a saga. Register each before its step: a step whose answer was lost must be undone too. */
export interface Compensations {
  add(compensation: Compensation): void;
  /** Puts one in the place of the last: it undoes what that one undid as well, so that nothing is undone twice. */
  replaceLast(compensation: Compensation): void;
  /** What would be undone, the last first. */
  plan(currency: string): UndoStep[];
  /** Runs what was registered, the last first, one after the other. Call it in a non-cancellable scope. Never throws. */
  run(parking: Parking): Promise<void>;
}

/** Where a compensation shows itself while it is undone or parked. */
export interface Parking {
  readonly order: OrderSagaInput;
  readonly progress: OrderProgress;
  readonly clock: SagaClock;
}

export function createCompensations(): Compensations {
  const undos: Compensation[] = [];
  return {
    add: (compensation) => void undos.push(compensation),
    replaceLast: (compensation) => void undos.splice(-1, 1, compensation),
    plan: (currency) =>
      undos.toReversed().map(({ name, reversesMinor }) => {
        const amountMinor = reversesMinor();
        return amountMinor === undefined ? { step: name } : { step: name, amountMinor, currency };
      }),
    async run(parking) {
      for (let next = undos.pop(); next !== undefined; next = undos.pop()) {
        parking.progress.undoing(next.name);
        await undoOne(next, parking);
      }
    },
  };
}

async function undoOne(compensation: Compensation, parking: Parking): Promise<void> {
  const { undo, remote } = compensation;
  if (!remote) {
    try {
      return await undo(steps);
    } catch (error) {
      if (!patched("parked-compensations")) return withoutEnd(undo);
      if (isFinalRefusal(error)) return park(compensation, parking, error);
    }
  }
  try {
    await undo(compensationSteps({ remote, retries: parking.order.compensationFastRetries }));
  } catch (error) {
    await park(compensation, parking, error);
  }
}

/**
 * Keeps a compensation that failed past its fast retries: it is shown, told of, tried again now and then, and ended by success or by an
 * operator who skips it or settled it by hand.
 */
async function park(compensation: Compensation, { order, progress, clock }: Parking, failure: unknown): Promise<void> {
  const { name, undo, remote } = compensation;
  const once = compensationSteps({ remote, retries: 0 });
  let reason = wordsOf(failure);
  progress.stuck(name, reason);
  await note(() => noteSteps.noteStuck({ orderId: order.orderId, step: name, reason }));
  for (let restMs = COMPENSATION_SLOW_MS; ; restMs = Math.min(restMs * 2, COMPENSATION_SLOWEST_MS)) {
    await clock.waitUntil(() => progress.hasAct(name), clock.nowMs() + restMs);
    const act = progress.takeAct(name);
    if (act !== undefined && act.act !== "retry") {
      const { reason: why, actor } = act;
      await withoutEnd((by) => by.settleByHand({ orderId: order.orderId, step: name, act: act.act, reason: why, actor }));
      break;
    }
    try {
      await undo(once);
      await note(() => noteSteps.noteStuck({ orderId: order.orderId, reason: "" }));
      break;
    } catch (error) {
      reason = wordsOf(error);
      progress.waiting(reason);
    }
  }
  progress.stuck(undefined);
}

// The row and its event make a stuck order easier to find; the search attribute shows it even when they cannot be written.
async function note(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    log.warn("a stuck order could not be noted in its row", { reason: messageOf(error) });
  }
}

function wordsOf(error: unknown): string {
  const failure = failureOf(error);
  return `${failure.code}: ${failure.message}`;
}

/**
 * Runs a step of the undoing itself, which nobody may skip: without end, also when it is refused for good, as somebody has to look
 * then. It is shown as stuck and asked again now and then, or at once when an operator says so. Never throws.
 */
export async function insist<Result>(
  name: string,
  step: (by: OrderSteps) => Promise<Result>,
  { progress, clock }: Parking,
): Promise<Result> {
  for (;;) {
    try {
      return await withoutEnd(step);
    } catch (error) {
      progress.stuck(name, wordsOf(error));
    }
    await clock.waitUntil(() => progress.hasAct(name), clock.nowMs() + COMPENSATION_SLOW_MS);
    progress.stuck(undefined);
  }
}

/**
 * Runs a step that must not be given up: at once with the fast retries, then without end as an ordinary activity, shown as stuck
 * as long as that lasts. Call it in a non-cancellable scope. Throws only what is final: a refusal with a code of the catalogue.
 */
export async function withoutEnd<Result>(step: (activities: OrderSteps) => Promise<Result>): Promise<Result> {
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

/** True when a step must wait because captures are paused. */
export function isPause(error: unknown): boolean {
  return applicationFailureIn(error)?.type === "PAUSED";
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
