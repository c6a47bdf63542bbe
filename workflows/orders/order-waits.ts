import { ApplicationFailure, CancellationScope, CancelledFailure, isCancellation, setHandler } from "@temporalio/workflow";
import { ORDER_PAYMENT_DEADLINE_MS } from "../../src/contract/order-times.ts";
import type { OrderSagaInput } from "../../src/contract/orders.ts";
import { providerNewsSignal } from "../../src/contract/provider-events.ts";
import { patientProviderSteps, pauseSteps, providerSteps } from "../activity-proxies.ts";
import { isFinalRefusal, isPause } from "../steps/failures.ts";
import type { SagaClock } from "./order-clock.ts";
import type { OrderProgress } from "./order-progress.ts";

type ProviderSteps = typeof providerSteps;

/** The waits of an order: each is shown as what the order waits for, and ends when a cancellation is asked for. */
export interface SagaWaits {
  /**
   * Runs a step at the payment provider; while the provider does not answer, repeats it until the order's deadline.
   * Throws: PAYMENT_DECLINED, PSP_UNAVAILABLE, CancelledFailure.
   */
  atProvider<Result extends object>(step: (by: ProviderSteps) => Promise<Result>): Promise<Result>;
  /**
   * Runs a step that must wait while captures are paused; the order's deadline moves by the length of the pause.
   * Throws: what the step throws, CancelledFailure.
   */
  unpaused<Result>(step: () => Promise<Result>): Promise<Result>;
}

/** Creates the waits of an order; its deadline at the provider counts from now. */
export function createSagaWaits(order: OrderSagaInput, progress: OrderProgress, clock: SagaClock): SagaWaits {
  let deadlineAtMs = clock.nowMs() + (order.paymentDeadlineMs ?? ORDER_PAYMENT_DEADLINE_MS);

  let news = 0;
  setHandler(providerNewsSignal, () => {
    news += 1;
  });

  /**
   * The work's result; when the order's clock reaches `untilMs` first, the work is cancelled and the result is undefined, and so it is
   * `HEARD` when `isHeard` becomes true first.
   * Throws: CancelledFailure when a cancellation of the order is asked for.
   */
  const untilWanted = async <Result>(
    work: () => Promise<Result>,
    untilMs?: number,
    isHeard: () => boolean = () => false,
  ): Promise<Result | typeof HEARD | undefined> => {
    const scope = new CancellationScope();
    let settled = false;
    const result = scope.run(work).finally(() => {
      settled = true;
    });
    // A failure of the work is handled below; until then it must not count as an unhandled rejection.
    result.catch(() => undefined);
    const inTime = await clock.waitUntil(() => settled || progress.cancelWanted() || isHeard(), untilMs);
    if (settled) return result;
    const heard = inTime && !progress.cancelWanted();
    scope.cancel();
    await result.catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
    if (heard) return HEARD;
    if (inTime) throw new CancelledFailure("the order was cancelled while it waited");
    return undefined;
  };

  /** The work's result, as `untilWanted`; the work begins anew at once whenever the provider has told something of the payment. */
  const askPatiently = async <Result>(work: () => Promise<Result>): Promise<Result | undefined> => {
    for (;;) {
      const before = news;
      const result = await untilWanted(work, deadlineAtMs, () => news > before);
      if (result !== HEARD) return result;
    }
  };

  return {
    async atProvider(step) {
      try {
        return await untilEnd(untilWanted(() => step(providerSteps)));
      } catch (error) {
        if (isCancellation(error) || isFinalRefusal(error)) throw error;
      }
      progress.waiting("the payment provider does not answer");
      const result = await untilEnd(askPatiently(() => step(patientProviderSteps)));
      progress.waiting(undefined);
      return result;
    },
    async unpaused(step) {
      for (;;) {
        try {
          return await step();
        } catch (error) {
          if (!isPause(error)) throw error;
        }
        progress.waiting("captures and charges are paused");
        const pausedAtMs = clock.nowMs();
        const serviceIds = order.lines.map(({ serviceId }) => serviceId);
        await untilWanted(() => pauseSteps.untilUnpaused({ serviceIds, userId: order.userId }));
        // The time of a pause does not count against the order's deadline.
        deadlineAtMs += clock.nowMs() - pausedAtMs;
        progress.waiting(undefined);
      }
    },
  };
}

/** What a wait ends with when the payment provider has told something meanwhile. */
const HEARD = Symbol("heard");

/** The result of a wait. Throws: PSP_UNAVAILABLE when the order's deadline ended the wait without one. */
async function untilEnd<Result extends object>(wait: Promise<Result | typeof HEARD | undefined>): Promise<Result> {
  const result = await wait;
  if (result === undefined || result === HEARD)
    throw ApplicationFailure.nonRetryable("the payment provider did not answer in time", "PSP_UNAVAILABLE");
  return result;
}
