import { ApplicationFailure, CancellationScope, CancelledFailure, log, setHandler } from "@temporalio/workflow";
import { ORDER_PAYMENT_DEADLINE_MS } from "../../src/contract/order-times.ts";
import { paymentReplySignal, type PaymentReply } from "../../src/contract/saga-commands.ts";
import { foreignWords } from "../../src/domain/cards/foreign-words.ts";
import { steps } from "../activity-proxies.ts";
import { seeThrough } from "../steps/endless.ts";
import { paymentReplyIn } from "../untyped-input.ts";
import type { Saga } from "./saga.ts";

/** How an order is paid through an external payment service: a CHARGE command goes out, the service's reply comes in as a signal. */
export interface SagaPayment {
  /**
   * Asks for the payment, waits for the reply until the order's deadline, and books the payment.
   * Throws: PAYMENT_DECLINED, PSP_UNAVAILABLE, CancelledFailure.
   */
  pay(): Promise<undefined>;
}

/**
 * Listens for the reply and registers the undo. Call it before the first step: a worker that died in its workflow task may have asked for
 * the payment and left no trace in the history.
 */
export function createSagaPayment({ order, progress, compensations, clock, waits }: Saga): SagaPayment {
  let reply: PaymentReply | undefined;
  let asked = false;
  // The first readable reply counts: a repeated reply or one that contradicts the first changes nothing.
  setHandler(paymentReplySignal, (given: unknown) => {
    reply ??= paymentReplyIn(given);
    if (reply === undefined) log.warn("an answer of the payment service was left aside: it says neither SUCCEEDED nor FAILED");
  });
  const refused = () => reply?.status === "FAILED";
  compensations.add({
    name: "ask for the payment back",
    undo: async (by) => {
      if (!refused()) await by.askForRefund({ order });
    },
    remote: false,
    reversesMinor: () => (asked && !refused() ? order.totalMinor : undefined),
  });

  return {
    async pay() {
      progress.enter("ask the payment service");
      await waits.unpaused(() => steps.askForPayment({ order }));
      asked = true;
      progress.done("PAYMENT_PENDING", "asked");

      progress.enter("wait for the payment service");
      progress.waiting("the payment service has not answered yet");
      const deadlineAtMs = clock.nowMs() + (order.paymentDeadlineMs ?? ORDER_PAYMENT_DEADLINE_MS);
      await clock.waitUntil(() => reply !== undefined || progress.cancelWanted(), deadlineAtMs);
      progress.waiting(undefined);
      if (progress.cancelWanted()) throw new CancelledFailure("the order was cancelled while it waited");
      if (reply === undefined) throw ApplicationFailure.nonRetryable("the payment service did not answer in time", "PSP_UNAVAILABLE");
      const { status, paymentId, error } = reply;
      if (status === "FAILED") throw ApplicationFailure.nonRetryable(wordsOf(error), "PAYMENT_DECLINED");

      progress.pass("book the money");
      const paid = { order, ...(paymentId === undefined ? {} : { paymentId }) };
      const where = { orderId: order.orderId, name: "book the money", desk: progress };
      await CancellationScope.nonCancellable(() => seeThrough(where, (by) => by.bookSagaPayment(paid)));
      progress.done("COMPLETED", "paid");
      return undefined;
    },
  };
}

function wordsOf(error: string | undefined): string {
  return error === undefined ? "the payment service refused" : `the payment service refused: ${foreignWords(error)}`;
}
