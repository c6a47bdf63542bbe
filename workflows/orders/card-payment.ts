import { CancellationScope, patched } from "@temporalio/workflow";
import type { CardPayment } from "../../src/contract/orders.ts";
import { steps } from "../activity-proxies.ts";
import { seeThrough } from "../steps/endless.ts";
import { failureOf, isFinalRefusal } from "../steps/failures.ts";
import type { Compensation } from "./compensation.ts";
import type { Saga } from "./saga.ts";

/** How an order is paid by card. */
interface CardOrderPayment {
  /**
   * Authorises, captures, books. The capture at the provider is the pivot: once it is known to have happened the order is completed. A
   * capture whose outcome stays unknown until the order's deadline is undone: the refund asks the provider first what became of the
   * capture.
   */
  pay(): Promise<undefined>;
}

/**
 * Registers the undo of a card payment. Call it before the first step: the history of a workflow that was reset may lack a payment that
 * the provider has taken. Each undo asks the provider first what happened, so it does no harm where nothing did.
 */
export function createCardPayment(saga: Saga, { cardToken }: CardPayment): CardOrderPayment {
  const { order, progress, compensations, waits } = saga;
  let begun = false;
  let authorisedMinor: string | undefined;

  const cancelAuthorisation: Compensation = {
    name: "cancel the authorisation",
    async undo(by) {
      // Workflows started before the patch had nothing to undo until they came to the card.
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
      // A declined capture took no money: only the authorisation is left to cancel, and the undo plan must not promise a refund.
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
      // Replaces the cancellation, which the refund includes: after a refund that an operator settled by hand no cancellation may follow.
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
