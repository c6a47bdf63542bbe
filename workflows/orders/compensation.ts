import { patched } from "@temporalio/workflow";
import {
  COMPENSATION_SLOW_MS,
  COMPENSATION_SLOWEST_MS,
  ONLY_RETRY,
  type OrderSagaInput,
  type UndoStep,
} from "../../src/contract/orders.ts";
import { compensationSteps, noteSteps, steps, type OrderSteps } from "../activity-proxies.ts";
import { note, seeThrough, withoutEnd } from "../steps/endless.ts";
import { isFinalRefusal, wordsOf } from "../steps/failures.ts";
import type { SagaClock } from "./order-clock.ts";
import type { OrderProgress } from "./order-progress.ts";

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
