import { sql } from "drizzle-orm";
import { index, integer, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import { bytea, identity, minor, moment, xid8 } from "../column-types.ts";

/**
 * Messages that must leave, written in the statement that made them true. A notification names its operation and is built from
 * that row when it leaves; other events carry a payload, dead letters their raw bytes.
 */
export const outbox = pgTable(
  "outbox",
  {
    id: identity(),
    aggregateType: text("aggregate_type").notNull(),
    aggregateId: text("aggregate_id").notNull(),
    topic: text("topic").notNull(),
    messageKey: text("message_key"),
    operationId: minor("operation_id"),
    payload: jsonb("payload").$type<Record<string, unknown>>(),
    rawKey: bytea("raw_key"),
    rawValue: bytea("raw_value"),
    headers: jsonb("headers").$type<Record<string, string>>(),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`clock_timestamp()`),
    publishedAt: moment("published_at"),
    attempts: integer("attempts").notNull().default(0),
    transactionId: xid8("transaction_id")
      .notNull()
      .default(sql`pg_current_xact_id()`),
  },
  (table) => [
    index("outbox_waiting")
      .on(table.topic, table.id)
      .where(sql`${table.publishedAt} is null`),
    index("outbox_order")
      .on(table.aggregateId)
      .where(sql`${table.aggregateType} = 'order'`),
    index("outbox_reservation")
      .on(table.aggregateId)
      .where(sql`${table.aggregateType} = 'reservation'`),
  ],
);
