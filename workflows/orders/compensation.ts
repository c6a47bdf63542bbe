import { patched } from "@temporalio/workflow";
import { ONLY_RETRY } from "../../src/contract/operator-acts.ts";
import { COMPENSATION_DAILY_MS, COMPENSATION_SLOW_MS, nextRestMs, RESTS_BEFORE_DAILY } from "../../src/contract/order-times.ts";
import type { OrderSagaInput, UndoStep } from "../../src/contract/orders.ts";
import { compensationSteps, noteSteps, steps, type OrderSteps } from "../activity-proxies.ts";
import { note, seeThrough, withoutEnd } from "../steps/endless.ts";
import { isFinalRefusal, wordsOf } from "../steps/failures.ts";
import type { SagaClock } from "./order-clock.ts";
import type { OrderProgress } from "./order-progress.ts";

/** The undo of one step. It must change nothing when its step never happened, and have its effect once however often it is run. */
export interface Compensation {
  readonly name: string;
  readonly undo: (by: OrderSteps) => Promise<void>;
  /** True when the undo calls the payment provider: it is then never run as a local activity, inside a workflow task. */
  readonly remote: boolean;
  /** The amount that the undo would reverse now, in minor units; undefined when there is no money to reverse. */
  readonly reversesMinor: () => string | undefined;
}

/** The compensations of a saga. Register each before its step: a step whose answer was lost must be undone too. */
export interface Compensations {
  add(compensation: Compensation): void;
  /** Puts a compensation in the place of the last one, whose undo it includes, so that the last step is not undone twice. */
  replaceLast(compensation: Compensation): void;
  /** The compensations that are still to run, the last registered first. */
  plan(currency: string): UndoStep[];
  /** Runs the registered compensations one after the other, the last first. Call it in a non-cancellable scope. Never throws. */
  run(parking: Parking): Promise<void>;
}

/** Where a compensation shows itself while it is undone or parked. */
export interface Parking {
  readonly order: OrderSagaInput;
  readonly progress: OrderProgress;
  readonly clock: SagaClock;
}

/** Creates the empty list of a saga's compensations. */
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
        // Removed only when it is undone: the plan must still show a compensation that is stuck.
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
 * Parks a compensation that failed past its fast retries: it is shown as stuck, noted in the order's row and tried again at growing
 * intervals, until it succeeds or an operator skips it or settles it by hand.
 */
async function park(compensation: Compensation, { order, progress, clock }: Parking, failure: unknown): Promise<void> {
  const { name, undo, remote } = compensation;
  const once = compensationSteps({ remote, retries: 0 });
  let reason = wordsOf(failure);
  progress.stuck(name, reason);
  await note(() => noteSteps.noteStuck({ orderId: order.orderId, step: name, reason }));
  for (let [restMs, rests] = [COMPENSATION_SLOW_MS, 0]; ; rests += 1, restMs = nextRestMs(restMs, rests)) {
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
 * Runs a step that frames the compensation (stop the order, cancel the order) and that no operator may skip. Even a final refusal does not
 * end it: an operator has to find out why. The step is shown as stuck and tried again every `COMPENSATION_SLOW_MS`, daily in the end, or at
 * once when an operator says `retry`. Call it in a non-cancellable scope. Never throws.
 */
export async function insist<Result>(
  name: string,
  step: (by: OrderSteps) => Promise<Result>,
  { order, progress, clock }: Parking,
): Promise<Result> {
  for (let rests = 0; ; rests += 1) {
    try {
      return await seeThrough({ orderId: order.orderId, name, desk: progress }, step);
    } catch (error) {
      progress.stuck(name, wordsOf(error), ONLY_RETRY);
    }
    await clock.waitUntil(
      () => progress.hasAct(name),
      clock.nowMs() + (rests < RESTS_BEFORE_DAILY ? COMPENSATION_SLOW_MS : COMPENSATION_DAILY_MS),
    );
    progress.stuck(undefined);
  }
}
