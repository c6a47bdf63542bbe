import { ActivityFailure, ApplicationFailure, CancellationScope, TimeoutFailure, condition, log, patched } from "@temporalio/workflow";
import { isErrorCode, messageOf, type ErrorCode } from "../../src/base/errors.ts";
import { ONLY_RETRY, type OperatorAct, type OperatorActKind } from "../../src/contract/operator-acts.ts";
import { COMPENSATION_SLOW_MS, COMPENSATION_SLOWEST_MS } from "../../src/contract/order-times.ts";
import type { OrderSagaInput, UndoStep } from "../../src/contract/orders.ts";
import { compensationSteps, enduringSteps, noteSteps, steps, type OrderSteps } from "../activity-proxies.ts";
import { showStuck } from "../search-attributes.ts";
import type { SagaClock } from "./order-clock.ts";
import type { OrderProgress } from "./order-progress.ts";

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
      for (let next = undos.at(-1); next !== undefined; next = undos.at(-1)) {
        parking.progress.undoing(next.name);
        await undoOne(next, parking);
        // Not before: what is stuck is still to be reversed, and the plan must say so.
        undos.pop();
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
    const decision = progress.takeAct(name);
    if (decision?.act === "skip" || decision?.act === "settle") {
      const { act, reason: why, actor } = decision;
      await withoutEnd((by) => by.settleByHand({ orderId: order.orderId, step: name, act, reason: why, actor }));
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

/**
 * Writes a note about what is stuck; answers whether it stands. The row and its event make a stuck order easier to find; the search
 * attribute shows it even when they cannot be written. Never throws.
 */
export async function note(write: () => Promise<void>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    log.warn("a stuck order could not be noted in its row", { reason: messageOf(error) });
    return false;
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
  { order, progress, clock }: Parking,
): Promise<Result> {
  for (;;) {
    try {
      return await seeThrough({ orderId: order.orderId, name, desk: progress }, step);
    } catch (error) {
      progress.stuck(name, wordsOf(error), ONLY_RETRY);
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
  return goOn(step);
}

async function goOn<Result>(step: (by: OrderSteps) => Promise<Result>): Promise<Result> {
  showStuck(true);
  try {
    return await step(enduringSteps);
  } finally {
    showStuck(false);
  }
}

/** Where a step that goes on without end shows itself to operators and hears of them. */
interface StuckStep {
  readonly orderId: string;
  readonly name: string;
  readonly possibleActs: readonly OperatorActKind[];
  readonly desk: {
    stuck(step: string | undefined, reason?: string, possibleActs?: readonly OperatorActKind[]): void;
    hasAct(step: string): boolean;
    takeAct(step: string): OperatorAct | undefined;
  };
}

/** As `withoutEnd`, for a step of an order that operators may have tried again at once. */
export async function seeThrough<Result>(
  where: Omit<StuckStep, "possibleActs">,
  step: (by: OrderSteps) => Promise<Result>,
): Promise<Result> {
  let failure: unknown;
  try {
    return await step(steps);
  } catch (error) {
    if (isFinalRefusal(error)) throw error;
    failure = error;
  }
  if (!patched("acts-on-any-stuck-step")) return goOn(step);
  for (;;) {
    const end = await untilActed({ ...where, possibleActs: ONLY_RETRY }, failure, () => step(enduringSteps));
    if ("result" in end) return end.result;
  }
}

/**
 * Runs a step whose retries have no end, shown as stuck, until it succeeds, is refused for good, or an operator decides otherwise. When one
 * says `retry` the rest between two tries is cut short. Call it in a non-cancellable scope.
 */
export async function untilActed<Result>(
  { orderId, name, possibleActs, desk }: StuckStep,
  failure: unknown,
  step: () => Promise<Result>,
): Promise<{ readonly result: Result } | { readonly act: OperatorAct }> {
  const reason = wordsOf(failure);
  desk.stuck(name, reason, possibleActs);
  // Beside the step: what keeps it may be the very store that the note goes to.
  let noted = note(() => noteSteps.noteStuck({ orderId, step: name, reason }));
  let restMs = COMPENSATION_SLOW_MS;
  try {
    for (;;) {
      const scope = new CancellationScope();
      let settled = false;
      const result = scope.run(step).finally(() => {
        settled = true;
      });
      result.catch(() => undefined);
      while (!(await condition(() => settled || desk.hasAct(name), restMs))) {
        // The row has room for one: another refund of the order may have stood there the last time.
        noted = note(() => noteSteps.noteStuck({ orderId, step: name, reason }));
        restMs = Math.min(restMs * 2, COMPENSATION_SLOWEST_MS);
      }
      if (settled) return { result: await result };
      const act = desk.takeAct(name);
      // A try that is under way may still have its effect; where it is not waited for, the next one finds it under the same key.
      scope.cancel();
      try {
        return { result: await result };
      } catch (error) {
        if (isFinalRefusal(error)) throw error;
      }
      if (act?.act === "skip" || act?.act === "settle") return { act };
    }
  } finally {
    desk.stuck(undefined);
    if (await noted) await note(() => noteSteps.noteStuck({ orderId, was: name, reason: "" }));
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
