import { sql } from "drizzle-orm";
import { check, index, integer, pgTable, text } from "drizzle-orm/pg-core";
import { keyText, minor, moment } from "../column-types.ts";

/** Money set aside for a client's reservation or for a line of an order. Its status leaves `held` once. */
export const holds = pgTable(
  "holds",
  {
    id: keyText("id").primaryKey(),
    purpose: text("purpose").notNull(),
    status: text("status").notNull(),
    userId: keyText("user_id").notNull(),
    serviceId: keyText("service_id").notNull(),
    orderId: keyText("order_id").notNull(),
    lineNo: integer("line_no").notNull(),
    currency: text("currency").notNull(),
    amountMinor: minor("amount_minor").notNull(),
    capturedMinor: minor("captured_minor")
      .notNull()
      .default(sql`0`),
    releasedMinor: minor("released_minor")
      .notNull()
      .default(sql`0`),
    workflowId: text("workflow_id").notNull(),
    requestHash: text("request_hash").notNull(),
    comment: text("comment").notNull(),
    expiresAt: moment("expires_at").notNull(),
    /** The end that `reservation.expiring` announced; it differs from `expiresAt` after an extension. */
    toldEnd: moment("told_end"),
    createdAt: moment("created_at").notNull(),
    updatedAt: moment("updated_at").notNull(),
  },
  (table) => [
    check("holds_purpose", sql`${table.purpose} in ('reservation', 'order')`),
    check("holds_status", sql`${table.status} in ('held', 'confirmed', 'released', 'expired')`),
    check(
      "holds_parts",
      sql`${table.amountMinor} > 0 and ${table.capturedMinor} >= 0 and ${table.releasedMinor} >= 0 and ${table.capturedMinor} + ${table.releasedMinor} <= ${table.amountMinor}`,
    ),
    check(
      "holds_closed_when_empty",
      sql`(${table.status} = 'held') = (${table.capturedMinor} + ${table.releasedMinor} < ${table.amountMinor})`,
    ),
    index("holds_user").on(table.userId, table.createdAt, table.id),
    index("holds_order").on(table.orderId),
    index("holds_open")
      .on(table.expiresAt)
      .where(sql`${table.status} = 'held'`),
  ],
);

/** Why and by whom a hold's end was moved. `key` is permanent, so that a repeat moves nothing. */
export const holdMoves = pgTable(
  "hold_moves",
  {
    key: keyText("key").primaryKey(),
    holdId: keyText("hold_id").notNull(),
    kind: text("kind").notNull(),
    contentHash: text("content_hash").notNull(),
    previousEnd: moment("previous_end").notNull(),
    newEnd: moment("new_end").notNull(),
    caller: text("caller").notNull(),
    correlationId: text("correlation_id").notNull(),
    recordedAt: moment("recorded_at")
      .notNull()
      .default(sql`clock_timestamp()`),
  },
  (table) => [
    check("hold_moves_kind", sql`${table.kind} in ('extension', 'pause', 'test-clock')`),
    index("hold_moves_hold").on(table.holdId, table.recordedAt),
  ],
);
