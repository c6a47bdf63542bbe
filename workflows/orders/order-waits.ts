import { ApplicationFailure, CancellationScope, CancelledFailure, isCancellation } from "@temporalio/workflow";
import { ORDER_PAYMENT_DEADLINE_MS } from "../../src/contract/order-times.ts";
import type { OrderSagaInput } from "../../src/contract/orders.ts";
import { patientProviderSteps, pauseSteps, providerSteps } from "../activity-proxies.ts";
import { isFinalRefusal, isPause } from "./compensation.ts";
import type { SagaClock } from "./order-clock.ts";
import type { OrderProgress } from "./order-progress.ts";

type ProviderSteps = typeof providerSteps;

/** What an order waits for, visibly, and with an ear for a cancellation. */
export interface SagaWaits {
  /** Runs a step at the provider; while it does not answer, waits until the order's deadline. Throws: PAYMENT_DECLINED, PSP_UNAVAILABLE, CancelledFailure. */
  atProvider<Result extends object>(step: (by: ProviderSteps) => Promise<Result>): Promise<Result>;
  /** Runs a step that must wait while captures are paused. Throws what the step throws, and CancelledFailure. */
  unpaused<Result>(step: () => Promise<Result>): Promise<Result>;
}

export function createSagaWaits(order: OrderSagaInput, progress: OrderProgress, clock: SagaClock): SagaWaits {
  let deadlineAtMs = clock.nowMs() + (order.paymentDeadlineMs ?? ORDER_PAYMENT_DEADLINE_MS);

  /** The work's result, or undefined when the moment comes first: it is cancelled then. Throws: CancelledFailure when somebody wants it cancelled. */
  const untilWanted = async <Result>(work: () => Promise<Result>, untilMs?: number): Promise<Result | undefined> => {
    const scope = new CancellationScope();
    let settled = false;
    const result = scope.run(work).finally(() => {
      settled = true;
    });
    // Its failure is met below; until then nobody waits for it.
    result.catch(() => undefined);
    const inTime = await clock.waitUntil(() => settled || progress.cancelWanted(), untilMs);
    if (settled) return result;
    scope.cancel();
    await result.catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
    if (inTime) throw new CancelledFailure("the order was cancelled while it waited");
    return undefined;
  };

  return {
    async atProvider(step) {
      try {
        return await untilEnd(untilWanted(() => step(providerSteps)));
      } catch (error) {
        if (isCancellation(error) || isFinalRefusal(error)) throw error;
      }
      progress.waiting("the payment provider does not answer");
      const result = await untilEnd(untilWanted(() => step(patientProviderSteps), deadlineAtMs));
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
        // A pause is nobody's fault: the time it took is not the order's.
        deadlineAtMs += clock.nowMs() - pausedAtMs;
        progress.waiting(undefined);
      }
    },
  };
}

/** The result, or the failure of an order whose deadline came first. */
async function untilEnd<Result extends object>(wait: Promise<Result | undefined>): Promise<Result> {
  const result = await wait;
  if (result === undefined) throw ApplicationFailure.nonRetryable("the payment provider did not answer in time", "PSP_UNAVAILABLE");
  return result;
}
