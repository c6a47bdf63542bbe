import { z } from "zod";
import { amountField, commentField, momentField, ownId, userIdField, versionField } from "./event-fields.ts";
import { eventJsonSchema, readEvent, readEventAmount, readMoment, type EventReading, type EventShape } from "./event-reading.ts";

/** What loyalty points are counted in. */
export const POINTS = "PTS";

/** A loyalty transaction as it stands on the topic (S0-24). Fields that are not named here are tolerated and never copied. */
const loyaltyEventSchema = z
  .object({
    transaction_id: ownId.describe("The transaction's identity: the same again changes nothing."),
    user_id: userIdField.describe("Opaque id of the user; a whole number is taken as its digits."),
    type: z.enum(["accrual", "redemption"]).describe("`accrual` gives points, `redemption` takes them, never below zero."),
    amount: amountField.describe("Whole points, as text or as a number."),
    occurred_at: momentField,
    comment: commentField,
    schema_version: versionField,
  })
  .describe("Points that a user got or spent.");

/** A valid loyalty transaction. `occurredAt` is ISO 8601 in UTC. */
export interface LoyaltyEvent {
  readonly eventId: string;
  readonly userId: string;
  readonly type: "accrual" | "redemption";
  readonly amountMinor: bigint;
  readonly currency: typeof POINTS;
  readonly occurredAt: string;
  readonly comment?: string;
}

const SHAPE: EventShape<typeof loyaltyEventSchema, LoyaltyEvent> = {
  schema: loyaltyEventSchema,
  idField: "transaction_id",
  toEvent(fields, timestampMs) {
    const amountMinor = readEventAmount(fields.amount, POINTS);
    if (typeof amountMinor !== "bigint") return amountMinor;
    const occurredAt = readMoment(fields.occurred_at, timestampMs, "occurred_at");
    if (typeof occurredAt !== "string") return occurredAt;
    return {
      eventId: fields.transaction_id,
      userId: fields.user_id,
      type: fields.type,
      amountMinor,
      currency: POINTS,
      occurredAt,
      ...(fields.comment === undefined ? {} : { comment: fields.comment }),
    };
  },
};

/** Reads a message as a loyalty transaction: see `readEvent`. */
export function readLoyaltyEvent(value: Uint8Array | null, timestampMs: number): EventReading<LoyaltyEvent> {
  return readEvent(SHAPE, value, timestampMs);
}

/** The JSON Schema of a loyalty transaction. */
export function loyaltyEventJsonSchema(): Record<string, unknown> {
  return eventJsonSchema(loyaltyEventSchema, "loyalty-transaction", "Loyalty transaction");
}
