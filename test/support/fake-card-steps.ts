import { ApplicationFailure } from "@temporalio/common";
import type { Activities } from "../../activities/index.ts";
import { refusal, type BookAccess, type Page } from "./fake-page.ts";

/** The steps of a card's payment over a provider's book of its own. */
export function createCardSteps({ pageOf, call, once }: BookAccess) {
  const refund = (page: Page): boolean => {
    if (page.card.captured && !page.card.refunded) {
      page.card.refunded = true;
      page.effects.push("refundCard");
    }
    return page.card.captured;
  };
  const fence = (page: Page): void => {
    if (page.card.fenced) return;
    page.card.fenced = true;
    page.effects.push("cancelCardAuthorisation");
  };
  return {
    authoriseCard: ({ order: { orderId } }) =>
      call(pageOf(orderId), "authoriseCard", () => {
        const page = pageOf(orderId);
        once(page, "authorise", "authoriseCard", () => {
          if (page.card.fenced) return "PAYMENT_DECLINED";
          page.card.authorised = true;
          return undefined;
        });
        return { reference: "authorisation" };
      }),
    awaitCapture: ({ orderId }) =>
      call(pageOf(orderId), "awaitCapture", () => {
        const { order, effects } = pageOf(orderId);
        if (order?.state === "PAYMENT_PENDING") return;
        if (order?.state !== "STARTED") throw refusal("ORDER_STATE_CONFLICT");
        order.state = "PAYMENT_PENDING";
        effects.push("awaitCapture");
      }),
    captureCard: ({ order: { orderId } }) =>
      call(pageOf(orderId), "captureCard", () => {
        const page = pageOf(orderId);
        if (page.paused) throw refusal("PAUSED");
        once(page, "capture", "captureCard", () => {
          if (!page.card.authorised || page.card.fenced) return "PAYMENT_DECLINED";
          page.card.captured = true;
          page.captures += 1;
          return undefined;
        });
        return { reference: "capture" };
      }),
    chargeOrder: ({ order: { orderId, totalMinor } }) =>
      call(pageOf(orderId), "chargeOrder", () => {
        const page = pageOf(orderId);
        once(page, "charge", "chargeOrder", () => {
          if (page.order?.state !== "PAYMENT_PENDING") return "ORDER_STATE_CONFLICT";
          page.order.state = "COMPLETED";
          page.revenueMinor += BigInt(totalMinor);
          return undefined;
        });
      }),
    refundCard: ({ order: { orderId } }) =>
      call(pageOf(orderId), "refundCard", () => void (refund(pageOf(orderId)) || fence(pageOf(orderId)))),
    cancelCardAuthorisation: ({ order: { orderId } }) =>
      call(pageOf(orderId), "cancelCardAuthorisation", () => {
        const page = pageOf(orderId);
        if (!refund(page)) fence(page);
      }),
    noteStuck: ({ orderId }) => call(pageOf(orderId), "noteStuck", () => {}),
    settleByHand: ({ orderId, step, act, reason, actor }) =>
      call(pageOf(orderId), "settleByHand", () => void pageOf(orderId).settlements.push(`${act} ${step} by ${actor}: ${reason}`)),
    // In this book the user has the id of the order.
    untilUnpaused: ({ userId }) =>
      call(pageOf(userId), "untilUnpaused", () => {
        if (pageOf(userId).paused)
          throw ApplicationFailure.create({ type: "PAUSED", message: "paused", nextRetryDelay: "100 milliseconds" });
      }),
  } satisfies Partial<Activities>;
}
