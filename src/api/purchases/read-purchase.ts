import { uuidv7 } from "uuidv7";
import { uuidOf } from "../../base/hash.ts";
import { instantMs } from "../../base/instant.ts";
import { requestKey } from "../../contract/ids.ts";
import { CLOCK_SKEW_MS, EARLIEST_MS } from "../../contract/moments.ts";
import { checkCard, type CheckedCard } from "../../domain/cards/card.ts";
import { madePurchaseComment } from "../../domain/purchases/purchase-comment.ts";
import type { ApiContext } from "../api-env.ts";
import { InvalidRequest } from "../http/error-handler.ts";
import { readOptionalIdempotencyKey } from "../http/idempotency.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import { refuseCardData } from "../http/refuse-card-data.ts";
import type { PurchaseBody } from "./purchases-schemas.ts";

/** What a client's Idempotency-Keys are scoped by. */
export const PURCHASE_KEYS = "purchases";

const CARD_POINTERS = { number: "/card_number", expiry: "/card_expiry", cvc: "/card_cvc" };
/** A purchase as its body asks for it. */
export interface ReadPurchase {
  readonly body: PurchaseBody;
  readonly card: CheckedCard | undefined;
  readonly purchase: {
    readonly userId: string;
    readonly currency: string;
    readonly amountMinor: bigint;
    readonly paymentMethod: string;
    /** ISO 8601. */
    readonly occurredAt: string;
    readonly comment: string;
  };
}

/** Throws: INVALID_AMOUNT, INVALID_CURRENCY, INVALID_CARD, INVALID_REQUEST, CARD_DATA_REFUSED, each with the place. */
export function readPurchase(body: PurchaseBody): ReadPurchase {
  const currency = readCurrency(body.currency, body.currency);
  const amountMinor = readAmount(body.amount, currency);
  const occurredAt = readDate(body.transaction_date);
  const card = readCard(body, occurredAt);
  refuseCardData(body.username, "/username");
  return {
    body,
    card,
    purchase: {
      userId: body.user_id,
      currency,
      amountMinor,
      paymentMethod: body.payment_method,
      occurredAt: occurredAt.toISOString(),
      comment: madePurchaseComment(body.username, { paymentMethod: body.payment_method, card }),
    },
  };
}

/** What the purchase is known by. No client can send a key with a space, so a purchase without a key never meets another. */
export function identityOf(context: ApiContext): { readonly key: string; readonly id: string; readonly isRepeatable: boolean } {
  const sent = readOptionalIdempotencyKey(context, PURCHASE_KEYS);
  const key = sent?.key ?? requestKey({ caller: context.get("caller"), route: PURCHASE_KEYS, idempotencyKey: `without key ${uuidv7()}` });
  return { key, id: uuidOf(key), isRepeatable: sent !== undefined };
}

function readDate(text: string): Date {
  const date = new Date(instantMs(text) ?? Number.NaN);
  if (date.getTime() >= EARLIEST_MS && date.getTime() <= Date.now() + CLOCK_SKEW_MS) return date;
  throw new InvalidRequest([{ pointer: "/transaction_date", message: "must not lie before 1990 or more than a day ahead" }]);
}

function readCard(body: PurchaseBody, atDate: Date): CheckedCard | undefined {
  const { card_number: number, card_expiry: expiry, card_cvc: cvc, card_holder_name: holderName } = body;
  if (number === undefined || expiry === undefined || cvc === undefined) return undefined;
  return checkCard({ number, expiry, cvc, ...(holderName === undefined ? {} : { holderName }) }, atDate, CARD_POINTERS);
}
