import { CancellationScope, condition, log, patched } from "@temporalio/workflow";
import { messageOf } from "../../src/base/errors.ts";
import { ONLY_RETRY, type OperatorAct, type OperatorActKind } from "../../src/contract/operator-acts.ts";
import { COMPENSATION_SLOW_MS, nextRestMs } from "../../src/contract/order-times.ts";
import { enduringSteps, noteSteps, steps, type OrderSteps } from "../activity-proxies.ts";
import { showStuck } from "../search-attributes.ts";
import { isFinalRefusal, wordsOf } from "./failures.ts";
import type { OperatorDesk } from "./operator-desk.ts";

/** A step of an order that operators see when it is stuck, and the desk at which they decide about it. */
export interface StuckStep {
  readonly orderId: string;
  readonly name: string;
  readonly desk: Pick<OperatorDesk, "stuck" | "hasAct" | "takeAct">;
}

/**
 * Runs a step that must not be given up: with the fast retries first, then as an ordinary activity whose retries never end, during which a
 * search attribute shows the workflow as stuck. Call it in a non-cancellable scope. Throws: only a final refusal, with a code of the
 * catalogue.
 */
export async function withoutEnd<Result>(step: (by: OrderSteps) => Promise<Result>): Promise<Result> {
  try {
    return await step(steps);
  } catch (error) {
    // A CancelledFailure does not end the step: it cannot be cancelled here, but a worker that loses its workflow task drops its local
    // activities in this way.
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

/** As `withoutEnd`, for a step of an order: an operator may have it tried again at once. */
export async function seeThrough<Result>(where: StuckStep, step: (by: OrderSteps) => Promise<Result>): Promise<Result> {
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
 * Runs a step whose retries never end, shown as stuck, until the step succeeds or is refused for good, or an operator skips or settles it.
 * An operator's `retry` cuts the rest between two tries short. `failure` is why the fast retries failed. Call it in a non-cancellable
 * scope. Throws: the final refusal.
 */
export async function untilActed<Result>(
  { orderId, name, possibleActs, desk }: StuckStep & { readonly possibleActs: readonly OperatorActKind[] },
  failure: unknown,
  step: () => Promise<Result>,
): Promise<{ readonly result: Result } | { readonly act: OperatorAct }> {
  const reason = wordsOf(failure);
  desk.stuck(name, reason, possibleActs);
  // The note runs beside the step: both may be waiting for the same store.
  let noted = note(() => noteSteps.noteStuck({ orderId, step: name, reason }));
  let restMs = COMPENSATION_SLOW_MS;
  let rests = 0;
  try {
    for (;;) {
      const scope = new CancellationScope();
      let settled = false;
      const result = scope.run(step).finally(() => {
        settled = true;
      });
      result.catch(() => undefined);
      while (!(await condition(() => settled || desk.hasAct(name), restMs))) {
        // Noted again after each rest: the row has room for one stuck step, and another refund of the order may have held it until now.
        noted = note(() => noteSteps.noteStuck({ orderId, step: name, reason }));
        rests += 1;
        restMs = nextRestMs(restMs, rests);
      }
      if (settled) return { result: await result };
      const act = desk.takeAct(name);
      // The cancelled try may still have its effect. Where the activity's cancellation does not wait for its end, the next try finds the
      // effect under the same key.
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

/**
 * Writes into the order's row what is stuck, or that nothing is any more; returns whether the write succeeded. The row and its event make a
 * stuck order easier to find; the search attribute shows the workflow as stuck even while the row cannot be written. Never throws.
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
