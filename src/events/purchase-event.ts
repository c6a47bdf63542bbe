import { z } from "zod";
import { MAX_ID_LENGTH } from "../contract/id-rule.ts";
import {
  amountField,
  currencyField,
  momentField,
  optional,
  ownId,
  storableText,
  subjectId,
  userIdField,
  versionField,
} from "./event-fields.ts";
import { eventJsonSchema, readEvent, readEventAmount, readMoment, type EventReading, type EventShape } from "./event-reading.ts";

const WALLET = "wallet";
/** As over HTTP. */
const MAX_USERNAME_LENGTH = 255;
// A purchase is not refused for a name that was always tolerated: what cannot be kept of it is left out.
function readableName(text: string): string | undefined {
  const line = text.replaceAll(/[\p{Cc}\p{Cs}]+/gu, " ").trim();
  const name = line.length <= MAX_USERNAME_LENGTH ? line : Array.from(line).slice(0, MAX_USERNAME_LENGTH).join("");
  return name === "" ? undefined : name;
}

// Taken as a method of its own, `Wallet` would be revenue without a debit.
const meansWallet = (text: string) =>
  text
    .normalize("NFKC")
    .replace(/[\s\p{Cc}\p{Cf}]/gu, "")
    .toLowerCase() === WALLET;

/** A purchase as it stands on the topic (S3-13). Fields that are not named here are tolerated and never copied. */
const purchaseEventSchema = z
  .object({
    user_id: userIdField.describe("Opaque id of the user; a whole number is taken as its digits."),
    username: optional(z.string().transform(readableName)).describe(
      `The user's name, kept and shown with the purchase: its first ${MAX_USERNAME_LENGTH} characters, on one line.`,
    ),
    amount: amountField.describe(
      "Decimal text such as 100.50; a JSON number is read as it is written. No more decimals than the currency has.",
    ),
    currency: currencyField,
    payment_method: storableText(MAX_ID_LENGTH)
      .refine((text) => text === WALLET || !meansWallet(text), "must be written wallet when the wallet is meant")
      .describe("`wallet`, exactly so, debits the user's balance; any other method was settled elsewhere."),
    transaction_date: momentField,
    event_id: optional(ownId).describe("Without it the event is identified by topic, partition and offset."),
    service_id: optional(subjectId).describe("Without it the revenue stands under `unassigned`."),
    order_id: optional(subjectId),
    schema_version: versionField,
  })
  .describe("A purchase that happened elsewhere.");

/** A valid purchase. `occurredAt` is ISO 8601 in UTC. */
export interface PurchaseEvent {
  readonly userId: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly paymentMethod: string;
  readonly username?: string;
  readonly occurredAt: string;
  readonly eventId?: string;
  readonly serviceId?: string;
  readonly orderId?: string;
}

const SHAPE: EventShape<typeof purchaseEventSchema, PurchaseEvent> = {
  schema: purchaseEventSchema,
  idField: "event_id",
  toEvent(fields, timestampMs) {
    const amountMinor = readEventAmount(fields.amount, fields.currency);
    if (typeof amountMinor !== "bigint") return amountMinor;
    const occurredAt = readMoment(fields.transaction_date, timestampMs, "transaction_date");
    if (typeof occurredAt !== "string") return occurredAt;
    return {
      userId: fields.user_id,
      amountMinor,
      currency: fields.currency,
      paymentMethod: fields.payment_method,
      occurredAt,
      ...(fields.username === undefined ? {} : { username: fields.username }),
      ...(fields.event_id === undefined ? {} : { eventId: fields.event_id }),
      ...(fields.service_id === undefined ? {} : { serviceId: fields.service_id }),
      ...(fields.order_id === undefined ? {} : { orderId: fields.order_id }),
    };
  },
};

/** Reads a message as a purchase: see `readEvent`. */
export function readPurchaseEvent(value: Uint8Array | null, timestampMs: number): EventReading<PurchaseEvent> {
  return readEvent(SHAPE, value, timestampMs);
}

/** The JSON Schema of a purchase. */
export function purchaseEventJsonSchema(): Record<string, unknown> {
  return eventJsonSchema(purchaseEventSchema, "purchase", "Purchase");
}
