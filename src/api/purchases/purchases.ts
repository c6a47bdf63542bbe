import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import { uuidOf } from "../../base/hash.ts";
import { formatAmount } from "../../base/money.ts";
import { requestKey } from "../../contract/ids.ts";
import { checkCard, type CheckedCard } from "../../domain/cards/card.ts";
import { purchaseOperation } from "../../domain/ledger/wallet-operations.ts";
import { postOnLedger } from "../../store/ledger/done-or-throw.ts";
import { findOperation } from "../../store/ledger/operations.ts";
import { getPurchase, listPurchases, type PurchaseRecord } from "../../store/ledger/purchases.ts";
import { buyByCard, isBoughtByCard } from "../../use-cases/orders/buy-by-card.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import { decodeCursor } from "../http/cursor.ts";
import { InvalidRequest } from "../http/error-handler.ts";
import { markReplayed, readOptionalIdempotencyKey } from "../http/idempotency.ts";
import { pageOf } from "../http/page.ts";
import { waitAsked } from "../http/prefer.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import { refuseCardData } from "../http/refuse-card-data.ts";
import { originOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { orderPath } from "../orders/show-order.ts";
import { createPurchaseRoute, listPurchasesRoute, readPurchaseRoute, type PurchaseBody } from "./purchases-schemas.ts";

const BIGINT = /^[1-9]\d{0,17}$/;
const ROUTE = "purchases";
const CARD_POINTERS = { number: "/card_number", expiry: "/card_expiry", cvc: "/card_cvc" };
/** As for purchases that come by Kafka: an older date is a clock that was never set, a later one a clock that runs ahead. */
const EARLIEST_MS = Date.UTC(1990, 0, 1);
const CLOCK_SKEW_MS = 24 * 3_600_000;

/** Purchases: made here, or told by Kafka. */
export function addPurchaseRoutes(routes: Routes, deps: ApiDeps): void {
  const { db, ledger } = deps;

  routes.add(
    createPurchaseRoute,
    {
      access: SERVICES,
      idempotency: { route: ROUTE, required: false, memory: "operation" },
      problems: [
        "INVALID_AMOUNT",
        "INVALID_CURRENCY",
        "INVALID_CARD",
        "CARD_DATA_REFUSED",
        "INSUFFICIENT_FUNDS",
        "PAYMENT_DECLINED",
        "ORDER_CANCELLED",
        "PSP_UNAVAILABLE",
      ],
    },
    async (context) => {
      const body = context.req.valid("json");
      const currency = readCurrency(body.currency, body.currency);
      const amountMinor = readAmount(body.amount, currency);
      const occurredAt = readDate(body.transaction_date);
      const card = readCard(body, occurredAt);
      refuseCardData(body.username, "/username");
      const { key, id, sent } = identityOf(context);
      const asked = { body, currency, amountMinor, occurredAt };
      const about = {
        userId: body.user_id,
        currency,
        amountMinor,
        paymentMethod: body.payment_method,
        occurredAt: occurredAt.toISOString(),
      };
      const origin = originOf(context);
      const comment = commentOf(body, card);

      if (card === undefined) {
        if (sent && (await isBoughtByCard(deps, id))) throw new DomainError("IDEMPOTENCY_CONFLICT");
        const posted = await postOnLedger(ledger, purchaseOperation({ key, ...about, comment, origin }));
        if (posted.duplicate) markReplayed(context);
        return context.json(purchaseMade({ ...asked, card, ...posted }), 201);
      }
      if (sent && (await findOperation(db, key)) !== undefined) throw new DomainError("IDEMPOTENCY_CONFLICT");
      const waitMs = waitAsked(context);
      const answer = await buyByCard(deps, { requestId: id, ...about, card, comment, ...origin }, waitMs);
      if (answer.known) markReplayed(context);
      if (answer.decided) return context.json(purchaseMade({ ...asked, card, ...answer }), 201);
      return context.json({ status: "pending" as const, order_id: answer.orderId, links: { self: orderPath(answer.orderId) } }, 202);
    },
  );

  routes.add(readPurchaseRoute, { access: SERVICES, problems: ["PURCHASE_NOT_FOUND"] }, async (context) => {
    const { purchaseId } = context.req.valid("param");
    const purchase = BIGINT.test(purchaseId) ? await getPurchase(db, purchaseId) : undefined;
    if (purchase === undefined) throw new DomainError("PURCHASE_NOT_FOUND");
    return context.json(show(purchase), 200);
  });

  routes.add(listPurchasesRoute, { access: SERVICES, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { user_id: userId, limit, cursor } = context.req.valid("query");
    const list = `purchases of ${userId}`;
    const [afterId] = cursor === undefined ? [] : decodeCursor(list, cursor, [BIGINT]);
    const rows = await listPurchases(db, { userId, limit, ...(afterId === undefined ? {} : { afterId }) });
    const { page, nextCursor } = pageOf(rows, limit, list, ({ purchaseId }) => [purchaseId]);
    return context.json({ purchases: page.map(show), next_cursor: nextCursor }, 200);
  });
}

function commentOf(body: PurchaseBody, card: CheckedCard | undefined): string {
  const by = card === undefined ? "" : ` (${card.brand} ****${card.last4})`;
  return `purchase of ${body.username} paid by ${body.payment_method}${by}`;
}

function purchaseMade(made: {
  readonly body: PurchaseBody;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly occurredAt: Date;
  readonly card: CheckedCard | undefined;
  readonly operationId: string;
  readonly recordedAt: Date;
}) {
  const { body, currency, card } = made;
  return {
    purchase_id: made.operationId,
    status: "completed" as const,
    user_id: body.user_id,
    username: body.username,
    amount: formatAmount(made.amountMinor, currency),
    currency,
    payment_method: body.payment_method,
    paid_by: card === undefined ? ("wallet" as const) : ("card" as const),
    ...(card === undefined ? {} : { card: { brand: card.brand, last4: card.last4 } }),
    transaction_date: made.occurredAt.toISOString(),
    recorded_at: made.recordedAt.toISOString(),
  };
}

// No client can send a key with a space, so a purchase without one never meets another.
function identityOf(context: ApiContext): { readonly key: string; readonly id: string; readonly sent: boolean } {
  const sent = readOptionalIdempotencyKey(context, ROUTE);
  const key = sent?.key ?? requestKey({ caller: context.get("caller"), route: ROUTE, idempotencyKey: `without key ${uuidv7()}` });
  return { key, id: uuidOf(key), sent: sent !== undefined };
}

function readDate(text: string): Date {
  const date = new Date(text);
  if (date.getTime() >= EARLIEST_MS && date.getTime() <= Date.now() + CLOCK_SKEW_MS) return date;
  throw new InvalidRequest([{ pointer: "/transaction_date", message: "must not lie before 1990 or more than a day ahead" }]);
}

function readCard(body: PurchaseBody, atDate: Date): CheckedCard | undefined {
  const { card_number: number, card_expiry: expiry, card_cvc: cvc, card_holder_name: holderName } = body;
  if (number === undefined || expiry === undefined || cvc === undefined) return undefined;
  return checkCard({ number, expiry, cvc, ...(holderName === undefined ? {} : { holderName }) }, atDate, CARD_POINTERS);
}

function show(purchase: PurchaseRecord) {
  const { refusalCode } = purchase;
  return {
    purchase_id: purchase.purchaseId,
    status: refusalCode === undefined ? ("completed" as const) : ("refused" as const),
    ...(refusalCode === undefined ? {} : { refusal_code: refusalCode }),
    user_id: purchase.userId,
    amount: formatAmount(purchase.amountMinor, purchase.currency),
    currency: purchase.currency,
    paid_by: purchase.paidBy,
    source: purchase.source,
    service_id: purchase.serviceId,
    comment: purchase.comment,
    transaction_date: purchase.occurredAt.toISOString(),
    recorded_at: purchase.recordedAt.toISOString(),
  };
}
