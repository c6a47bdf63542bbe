import { sql } from "drizzle-orm";
import { check, index, jsonb, pgTable, primaryKey, text, uniqueIndex } from "drizzle-orm/pg-core";
import { keyText, minor, moment } from "../column-types.ts";

/**
 * Which payment of the provider an order's is, kept before any money is asked for. Without a reference the order is fenced: it was cancelled
 * before it had a payment, and gets none.
 */
export const providerPayments = pgTable(
  "provider_payments",
  {
    orderId: keyText("order_id").primaryKey(),
    reference: text("reference"),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`clock_timestamp()`),
  },
  (table) => [uniqueIndex("provider_payments_reference").on(table.reference)],
);

/** The provider's events that were taken to their end: one that comes again does nothing. */
export const providerEvents = pgTable(
  "provider_events",
  {
    id: keyText("id").primaryKey(),
    type: text("type").notNull(),
    /** Null for an event of no order of Saldo's. */
    orderId: keyText("order_id"),
    receivedAt: moment("received_at")
      .notNull()
      .default(sql`clock_timestamp()`),
  },
  (table) => [index("provider_events_received").on(table.receivedAt)],
);

/** What came of a dispute about an order's payment: each move once. `lines` are the parts of the order's lines that its money is of. */
export const disputeMoves = pgTable(
  "dispute_moves",
  {
    disputeId: keyText("dispute_id").notNull(),
    move: text("move").notNull(),
    orderId: keyText("order_id").notNull(),
    status: text("status").notNull(),
    reason: text("reason").notNull(),
    currency: text("currency").notNull(),
    amountMinor: minor("amount_minor").notNull(),
    lines: jsonb("lines").$type<{ lineNo: number; serviceId: string; amountMinor: string }[]>().notNull(),
    /** The provider's time of it. */
    happenedAt: moment("happened_at").notNull(),
    /** When its event was put into the outbox; null until its money is booked. */
    toldAt: moment("told_at"),
  },
  (table) => [
    primaryKey({ columns: [table.disputeId, table.move] }),
    index("dispute_moves_order").on(table.orderId),
    check("dispute_moves_move", sql`${table.move} in ('opened', 'withdrawn', 'reinstated', 'closed')`),
    check("dispute_moves_positive", sql`${table.amountMinor} > 0`),
  ],
);
