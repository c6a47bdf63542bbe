import { z } from "zod";
import { MAX_AMOUNT_MINOR } from "../base/money.ts";
import {
  amountField,
  commentField,
  currencyField,
  optional,
  ownId,
  subjectId,
  userIdField,
  versionField,
  wholeField,
} from "./event-fields.ts";
import { eventJsonSchema, readEvent, readEventAmount, refuse, type EventReading, type EventShape } from "./event-reading.ts";

const MAX_ITEMS = 100;
const MAX_QUANTITY = 1_000_000;

const itemSchema = z.object({
  service_id: subjectId,
  amount: amountField.describe("The price of the whole line, whatever its quantity."),
  quantity: optional(wholeField(1, MAX_QUANTITY)).describe("1 when it is left out."),
});

/** A wish for an order as it stands on the topic. Fields that are not named here are tolerated and never copied. */
const orderRequestSchema = z
  .object({
    order_id: subjectId.describe("The order's id from here on: one order for ever."),
    user_id: userIdField.describe("Who buys and pays."),
    items: z.array(itemSchema).min(1).max(MAX_ITEMS),
    currency: optional(currencyField).describe("Without it DEFAULT_CURRENCY."),
    payment_method: optional(z.literal("wallet")).describe("Only the wallet: card data never goes through Kafka."),
    comment: commentField,
    event_id: optional(ownId).describe("Without it the message is identified by topic, partition and offset."),
    schema_version: versionField,
  })
  .describe("A wish for an order, which Saldo runs as a saga.");

/** A valid wish for an order. Amounts are minor units as text. */
export interface OrderRequest {
  readonly orderId: string;
  readonly userId: string;
  readonly currency: string;
  readonly lines: readonly {
    readonly lineNo: number;
    readonly serviceId: string;
    readonly quantity: number;
    readonly amountMinor: string;
  }[];
  readonly totalMinor: string;
  readonly eventId?: string;
  readonly comment?: string;
}

function shapeFor(defaultCurrency: string): EventShape<typeof orderRequestSchema, OrderRequest> {
  return {
    schema: orderRequestSchema,
    idField: "event_id",
    toEvent(fields) {
      const currency = fields.currency ?? defaultCurrency;
      const lines: OrderRequest["lines"][number][] = [];
      let totalMinor = 0n;
      for (const [place, item] of fields.items.entries()) {
        const amountMinor = readEventAmount(item.amount, currency, `items.${place}.amount`);
        if (typeof amountMinor !== "bigint") return amountMinor;
        totalMinor += amountMinor;
        lines.push({ lineNo: place + 1, serviceId: item.service_id, quantity: item.quantity ?? 1, amountMinor: amountMinor.toString() });
      }
      if (totalMinor > MAX_AMOUNT_MINOR) return refuse("INVALID_AMOUNT", "items: add up to more than one operation may carry");
      return {
        orderId: fields.order_id,
        userId: fields.user_id,
        currency,
        lines,
        totalMinor: totalMinor.toString(),
        ...(fields.event_id === undefined ? {} : { eventId: fields.event_id }),
        ...(fields.comment === undefined ? {} : { comment: fields.comment }),
      };
    },
  };
}

/** Reads a message as a wish for an order: see `readEvent`. */
export function readOrderRequest(value: Uint8Array | null, timestampMs: number, defaultCurrency: string): EventReading<OrderRequest> {
  return readEvent(shapeFor(defaultCurrency), value, timestampMs);
}

/** The JSON Schema of a wish for an order. */
export function orderRequestJsonSchema(): Record<string, unknown> {
  return eventJsonSchema(orderRequestSchema, "order-request", "Order request");
}
