import { CancellationScope } from "@temporalio/workflow";
import type { CardPayment } from "../src/contract/orders.ts";
import { steps } from "./activity-proxies.ts";
import { seeThrough } from "./compensation.ts";
import type { Saga } from "./order-saga.ts";

/**
 * Authorise, capture, book. The capture at the provider is the pivot: once it is known to have happened the order is completed. A
 * capture whose outcome stays unknown until the order's deadline is undone: the provider is asked what became of it first.
 */
export async function payByCard(saga: Saga, { cardToken }: CardPayment): Promise<undefined> {
  const { order, progress, compensations, waits } = saga;
  let authorisedMinor: string | undefined;

  compensations.add({
    name: "cancel the authorisation",
    undo: (by) => by.cancelCardAuthorisation({ order }),
    remote: true,
    reversesMinor: () => authorisedMinor,
  });
  progress.enter("authorise the card");
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
  await waits.unpaused(() => waits.atProvider((by) => by.captureCard({ order })));

  progress.pass("book the money");
  const where = { orderId: order.orderId, name: "book the money", desk: progress };
  await CancellationScope.nonCancellable(() => seeThrough(where, (by) => by.chargeOrder({ order })));
  progress.done("COMPLETED", "captured");
  return undefined;
}
