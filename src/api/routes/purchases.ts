import { uuidv7 } from "uuidv7";
import { requestKey } from "../../contract/ids.ts";
import { checkCard, type CheckedCard } from "../../domain/card.ts";
import type { Operation } from "../../domain/operations.ts";
import { purchaseOperation } from "../../domain/wallet-operations.ts";
import { DomainError } from "../../errors.ts";
import { formatAmount } from "../../money.ts";
import { findOperation } from "../../store/operations.ts";
import { getPurchase, listPurchases, type PurchaseRecord } from "../../store/purchases.ts";
import { SERVICES } from "../access.ts";
import { addRoute } from "../add-route.ts";
import type { Api, ApiContext, ApiDeps } from "../api-env.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { InvalidRequest } from "../error-handler.ts";
import { markReplayed, readOptionalIdempotencyKey, uuidOf } from "../idempotency.ts";
import { payByCard } from "../pay-by-card.ts";
import { postOnLedger } from "../post-on-ledger.ts";
import { readAmount, readCurrency } from "../read-money.ts";
import { refuseCardData } from "../refuse-card-data.ts";
import { createPurchaseRoute, listPurchasesRoute, readPurchaseRoute, type PurchaseBody } from "../schemas/purchases.ts";

const OUTAGES = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;
const BIGINT = /^[1-9]\d{0,17}$/;
const ROUTE = "purchases";
const CARD_POINTERS = { number: "/card_number", expiry: "/card_expiry", cvc: "/card_cvc" };
/** As for purchases that come by Kafka: an older date is a clock that was never set, a later one a clock that runs ahead. */
const EARLIEST_MS = Date.UTC(1990, 0, 1);
const CLOCK_SKEW_MS = 24 * 3_600_000;

/** Purchases: made here, or told by Kafka. */
export function addPurchaseRoutes(api: Api, deps: ApiDeps): void {
  const { db, ledger, psp } = deps;
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
      const key = keyOf(context);
      const operation = toOperation(context, { key, body, currency, amountMinor, occurredAt, card });
      // A purchase that is decided already is not paid again, also not by asking the provider for what it has done.
      if (card !== undefined && (await findOperation(db, key)) === undefined)
        await payByCard(psp, { id: uuidOf(key), card, amountMinor, currency });
      const posted = await postOnLedger(ledger, operation);
      if (posted.duplicate) markReplayed(context);
      return context.json(
        {
          purchase_id: posted.operationId,
          status: "completed" as const,
          user_id: body.user_id,
          username: body.username,
          amount: formatAmount(amountMinor, currency),
          currency,
          payment_method: body.payment_method,
          paid_by: card === undefined ? ("wallet" as const) : ("card" as const),
          ...(card === undefined ? {} : { card: { brand: card.brand, last4: card.last4 } }),
          transaction_date: occurredAt.toISOString(),
          recorded_at: posted.recordedAt.toISOString(),
        },
        201,
      );
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

function toOperation(
  context: ApiContext,
  input: {
    readonly key: string;
    readonly body: PurchaseBody;
    readonly currency: string;
    readonly amountMinor: bigint;
    readonly occurredAt: Date;
    readonly card: CheckedCard | undefined;
  },
): Operation {
  const { key, body, currency, amountMinor, occurredAt, card } = input;
  const operation = purchaseOperation({
    key,
    userId: body.user_id,
    currency,
    amountMinor,
    paymentMethod: body.payment_method,
    occurredAt: occurredAt.toISOString(),
    comment: `purchase of ${body.username} paid by ${body.payment_method}${card === undefined ? "" : ` (${card.brand} ****${card.last4})`}`,
    origin: { caller: context.get("caller"), correlationId: context.get("correlationId") },
  });
  // Another card under the same key is another purchase.
  return card === undefined ? operation : { ...operation, furtherContent: [...(operation.furtherContent ?? []), card.brand, card.last4] };
}

// No client can send a key with a space, so a purchase without one never meets another.
function keyOf(context: ApiContext): string {
  const identity = readOptionalIdempotencyKey(context, ROUTE);
  return identity?.key ?? requestKey({ caller: context.get("caller"), route: ROUTE, idempotencyKey: `without key ${uuidv7()}` });
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
