import { CancellationScope, patched } from "@temporalio/workflow";
import type { CardPayment } from "../../src/contract/orders.ts";
import { steps } from "../activity-proxies.ts";
import { seeThrough } from "../steps/endless.ts";
import { failureOf, isFinalRefusal } from "../steps/failures.ts";
import type { Compensation } from "./compensation.ts";
import type { Saga } from "./saga.ts";

/** The payment of an order by card. */
interface CardOrderPayment {
  /**
   * Authorise, capture, book. The capture at the provider is the pivot: once it is known to have happened the order is completed. A
   * capture whose outcome stays unknown until the order's deadline is undone: the provider is asked what became of it first.
   */
  pay(): Promise<undefined>;
}

/**
 * Registers the undo. Call it before the first step: a workflow that was reset may have had the money taken and remember nothing of it.
 * Each undo asks the provider what happened, so that one of nothing does no harm.
 */
export function createCardPayment(saga: Saga, { cardToken }: CardPayment): CardOrderPayment {
  const { order, progress, compensations, waits } = saga;
  let begun = false;
  let authorisedMinor: string | undefined;

  const cancelAuthorisation: Compensation = {
    name: "cancel the authorisation",
    async undo(by) {
      // Workflows of before had nothing to undo until they came to the card.
      if (begun || patched("card-undone-from-the-start")) await by.cancelCardAuthorisation({ order });
    },
    remote: true,
    reversesMinor: () => authorisedMinor,
  };
  compensations.add(cancelAuthorisation);

  const capture = async (): Promise<void> => {
    try {
      await waits.unpaused(() => waits.atProvider((by) => by.captureCard({ order })));
    } catch (error) {
      // The provider's no is an answer: nothing was taken, and what there is to undo is named as what it is.
      if (isFinalRefusal(error) && failureOf(error).code === "PAYMENT_DECLINED" && patched("declined-capture-has-no-refund"))
        compensations.replaceLast(cancelAuthorisation);
      throw error;
    }
  };

  return {
    async pay() {
      progress.enter("authorise the card");
      begun = true;
      await waits.atProvider((by) => by.authoriseCard({ order, cardToken }));
      authorisedMinor = order.totalMinor;
      await steps.awaitCapture({ orderId: order.orderId });
      progress.done("PAYMENT_PENDING", "authorised");

      progress.enter("capture the money");
      // In the place of the cancellation, which it includes: whoever settles the refund by hand must not see another one follow.
      compensations.replaceLast({
        name: "refund the card",
        undo: (by) => by.refundCard({ order }),
        remote: true,
        reversesMinor: () => order.totalMinor,
      });
      await capture();

      progress.pass("book the money");
      const where = { orderId: order.orderId, name: "book the money", desk: progress };
      await CancellationScope.nonCancellable(() => seeThrough(where, (by) => by.chargeOrder({ order })));
      progress.done("COMPLETED", "captured");
      return undefined;
    },
  };
}
