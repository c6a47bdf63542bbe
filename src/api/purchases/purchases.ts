import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import { uuidOf } from "../../base/hash.ts";
import { formatAmount } from "../../base/money.ts";
import { requestKey } from "../../contract/ids.ts";
import { CLOCK_SKEW_MS, EARLIEST_MS } from "../../contract/moments.ts";
import { checkCard, type CheckedCard } from "../../domain/cards/card.ts";
import { purchaseOperation } from "../../domain/ledger/wallet-operations.ts";
import { postOnLedger } from "../../store/ledger/done-or-throw.ts";
import { findOperation } from "../../store/ledger/operations.ts";
import { getPurchase, listPurchases, type PurchaseRecord } from "../../store/ledger/purchases.ts";
import { buyByCard, isBoughtByCard } from "../../use-cases/orders/buy-by-card.ts";
import type { Api, ApiContext, ApiDeps } from "../api-env.ts";
import { SERVICES } from "../http/access.ts";
import { addRoute } from "../http/add-route.ts";
import { decodeCursor, encodeCursor } from "../http/cursor.ts";
import { InvalidRequest } from "../http/error-handler.ts";
import { markReplayed, readOptionalIdempotencyKey } from "../http/idempotency.ts";
import { readWait } from "../http/prefer.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import { refuseCardData } from "../http/refuse-card-data.ts";
import { orderPath } from "../orders/show-order.ts";
import { createPurchaseRoute, listPurchasesRoute, readPurchaseRoute, type PurchaseBody } from "./purchases-schemas.ts";

const OUTAGES = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;
const BIGINT = /^[1-9]\d{0,17}$/;
const ROUTE = "purchases";
const CARD_POINTERS = { number: "/card_number", expiry: "/card_expiry", cvc: "/card_cvc" };

/** Purchases: made here, or told by Kafka. */
export function addPurchaseRoutes(api: Api, deps: ApiDeps): void {
  const { db, ledger } = deps;
  const { maxBodyBytes } = deps.settings;

  addRoute(
    api,
    createPurchaseRoute,
    {
      access: SERVICES,
      maxBodyBytes,
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
        ...OUTAGES,
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
      const origin = { caller: context.get("caller"), correlationId: context.get("correlationId") };
      const comment = commentOf(body, card);

      if (card === undefined) {
        if (sent && (await isBoughtByCard(deps, id))) throw new DomainError("IDEMPOTENCY_CONFLICT");
        const posted = await postOnLedger(ledger, purchaseOperation({ key, ...about, comment, origin }));
        if (posted.duplicate) markReplayed(context);
        return context.json(purchaseMade({ ...asked, card, ...posted }), 201);
      }
      if (sent && (await findOperation(db, key)) !== undefined) throw new DomainError("IDEMPOTENCY_CONFLICT");
      const wait = readWait(context.req.header("prefer"));
      if (wait.applied !== undefined) context.header("preference-applied", wait.applied);
      const answer = await buyByCard(deps, { requestId: id, ...about, card, comment, ...origin }, wait.waitMs);
      if (answer.known) markReplayed(context);
      if (answer.decided) return context.json(purchaseMade({ ...asked, card, ...answer }), 201);
      return context.json({ status: "pending" as const, order_id: answer.orderId, links: { self: orderPath(answer.orderId) } }, 202);
    },
  );

  addRoute(api, readPurchaseRoute, { access: SERVICES, maxBodyBytes, problems: ["PURCHASE_NOT_FOUND", ...OUTAGES] }, async (context) => {
    const { purchaseId } = context.req.valid("param");
    const purchase = BIGINT.test(purchaseId) ? await getPurchase(db, purchaseId) : undefined;
    if (purchase === undefined) throw new DomainError("PURCHASE_NOT_FOUND");
    return context.json(show(purchase), 200);
  });

  addRoute(api, listPurchasesRoute, { access: SERVICES, maxBodyBytes, problems: ["INVALID_CURSOR", ...OUTAGES] }, async (context) => {
    const { user_id: userId, limit, cursor } = context.req.valid("query");
    const list = `purchases of ${userId}`;
    const [afterId] = cursor === undefined ? [] : decodeCursor(list, cursor, [BIGINT]);
    const rows = await listPurchases(db, { userId, limit, ...(afterId === undefined ? {} : { afterId }) });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return context.json(
      {
        purchases: page.map(show),
        ...(rows.length > limit && last !== undefined ? { next_cursor: encodeCursor(list, [last.purchaseId]) } : {}),
      },
      200,
    );
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
