import type { Log } from "../../adapters/log.ts";
import { DomainError } from "../../base/errors.ts";
import { orderRefundWorkflowId, paymentKey, refundKey, stepKey } from "../../contract/ids.ts";
import type { ProviderEvent, ProviderNews } from "../../contract/provider-events.ts";
import { FAILED_REFUND_STEP } from "../../contract/refunds.ts";
import {
  disputeOperation,
  disputeReversalOperation,
  refundReversalOperation,
  type LateMovement,
} from "../../domain/ledger/dispute-operations.ts";
import { disputedParts } from "../../domain/orders/dispute-lines.ts";
import type { Starters } from "../../starters/index.ts";
import { doneOrThrow } from "../../store/ledger/done-or-throw.ts";
import type { Ledger } from "../../store/ledger/ledger.ts";
import { getOrder, noteStuck, type OrderRecord } from "../../store/orders/orders.ts";
import {
  findDisputeLines,
  isKnownProviderEvent,
  keepDisputeMove,
  noteProviderEvent,
  tellDisputeMove,
} from "../../store/orders/provider-events.ts";
import { findOrderOfReference } from "../../store/orders/provider-payments.ts";
import { failRefund, findRefundOfReference, getRefund, type RefundRecord } from "../../store/orders/refunds.ts";
import type { Db } from "../../store/postgres/database.ts";

interface Deps {
  readonly db: Db;
  readonly ledger: Ledger;
  readonly starters: Pick<Starters, "tellProviderNews">;
  readonly log: Log;
}

/** What came of an event: `done` now, `known` from an earlier time, `foreign` when it is of no order of Saldo's. */
export type TakenEvent = "done" | "known" | "foreign";

/**
 * Takes an event of the payment provider to its end: who waits for the payment asks the provider again, a dispute's money is booked and told,
 * a refund that failed later is taken back. The event is noted last, so a process that dies leaves it to be sent again.
 * Safe to retry: the event, each move of a dispute and each refund are done once.
 * Throws: UNAVAILABLE, also for a refund that is not booked yet; DEADLINE_EXCEEDED; INTERNAL for a dispute in another currency than its order.
 */
export async function takeProviderEvent(deps: Deps, event: ProviderEvent, correlationId: string): Promise<TakenEvent> {
  const { db, starters } = deps;
  if (await isKnownProviderEvent(db, event.id)) return "known";
  const orderId = event.reference === undefined || event.news.kind === "none" ? undefined : await findOrderOfReference(db, event.reference);
  if (orderId !== undefined) {
    switch (event.news.kind) {
      case "payment":
        await starters.tellProviderNews(orderId, event.type);
        break;
      case "dispute":
        await takeDispute(deps, await orderOf(db, orderId), { ...event, news: event.news }, correlationId);
        break;
      case "refund failed":
        await takeFailedRefund(deps, await orderOf(db, orderId), { ...event, news: event.news }, correlationId);
        break;
      case "none":
    }
  }
  await noteProviderEvent(db, event, orderId);
  return orderId === undefined ? "foreign" : "done";
}

type News<Kind extends ProviderNews["kind"]> = ProviderEvent & { readonly news: Extract<ProviderNews, { kind: Kind }> };

async function takeDispute({ db, ledger }: Deps, order: OrderRecord, event: News<"dispute">, correlationId: string): Promise<void> {
  const { orderId } = order;
  const { disputeId, move, amountMinor, currency } = event.news;
  // Its money would be booked as so much of another one.
  if (currency !== order.currency) throw new DomainError("INTERNAL", `a dispute in ${currency} is about a payment in ${order.currency}`);
  const known = await findDisputeLines(db, disputeId);
  const lines = await keepDisputeMove(db, {
    ...event.news,
    orderId,
    happenedAt: event.happenedAt,
    lines:
      known ??
      disputedParts(
        amountMinor,
        order.items.map((item) => ({ ...item, refundedMinor: item.refundedMinor ?? 0n })),
      ),
  });
  // The provider may make two events of one movement; the dispute and its move are what is the same in both.
  const movement = movementOf(order, event, { key: `dispute:${disputeId}:${move}`, lines, correlationId });
  if (move === "withdrawn") doneOrThrow(await ledger.post(disputeOperation(movement)));
  if (move === "reinstated") doneOrThrow(await ledger.post(disputeReversalOperation(movement)));
  await tellDisputeMove(db, { disputeId, move });
}

async function takeFailedRefund(
  { db, ledger, log }: Deps,
  order: OrderRecord,
  event: News<"refund failed">,
  correlationId: string,
): Promise<void> {
  const { orderId } = order;
  const { refundReference, key: askedKey, reason } = event.news;
  const told = { event: "psp.refund_failed", orderId, refundReference, reason };
  if (askedKey === paymentKey(orderId, "refund")) {
    // The capture of an order that was undone: nothing of it stands in the books, and its money is at the provider.
    const isSettled = order.settledByHand?.includes(FAILED_REFUND_STEP) === true;
    if (!isSettled)
      await noteStuck(db, { orderId, step: FAILED_REFUND_STEP, reason: "the refund failed at the provider; give it back by hand" });
    log.error(told, "the refund of an undone order failed: give it back by hand");
    return;
  }
  const refund = await findFailedRefund(db, orderId, event.news);
  if (refund?.status === "pending")
    throw new DomainError("UNAVAILABLE", "the refund is not booked yet; the provider sends its event again");
  if (refund?.providerReference !== refundReference) {
    // Refused as soon as it was asked for, or made at the provider by hand: the books never had it.
    log.warn(told, "a refund failed that is not in the books");
    return;
  }
  const key = stepKey(orderRefundWorkflowId(orderId, refund.refundId), "failed");
  doneOrThrow(await ledger.post(refundReversalOperation(movementOf(order, event, { key, lines: refund.lines, correlationId }))));
  await failRefund(db, { refundId: refund.refundId, failureCode: "PAYMENT_DECLINED" });
  log.warn({ ...told, refundId: refund.refundId }, "a refund failed after it was booked; it is taken back");
}

/** The refund that the event is about: by the provider's id, which only a booked one has, or by the key it was asked for with. */
async function findFailedRefund(
  db: Db,
  orderId: string,
  { refundReference, key }: News<"refund failed">["news"],
): Promise<RefundRecord | undefined> {
  const booked = await findRefundOfReference(db, orderId, refundReference);
  const prefix = refundKey(orderId, "");
  if (booked !== undefined || key?.startsWith(prefix) !== true) return booked;
  return getRefund(db, key.slice(prefix.length));
}

function movementOf(
  { orderId, userId, currency }: OrderRecord,
  { id, type, happenedAt }: ProviderEvent,
  rest: Pick<LateMovement, "key" | "lines"> & { readonly correlationId: string },
): LateMovement {
  const { key, lines, correlationId } = rest;
  return {
    key,
    orderId,
    userId,
    currency,
    lines,
    effectiveAt: happenedAt.toISOString(),
    comment: `${type} ${id} of the payment provider`,
    origin: { caller: "payment provider", correlationId },
  };
}

async function orderOf(db: Db, orderId: string): Promise<OrderRecord> {
  const order = await getOrder(db, orderId);
  if (order === undefined) throw new DomainError("UNAVAILABLE", "the order's row is not written yet");
  return order;
}
