import { sql } from "drizzle-orm";
import { check, index, integer, jsonb, pgTable, text, unique } from "drizzle-orm/pg-core";
import { identity, moment } from "../column-types.ts";

/** An address that events are sent to by HTTP. A deleted webhook keeps its row, without its secrets, for its log of deliveries. */
export const webhooks = pgTable(
  "webhooks",
  {
    id: text("id").primaryKey(),
    url: text("url").notNull(),
    /** Types such as `saldo.order.completed`, groups such as `saldo.order.*`; empty is all. */
    eventTypes: text("event_types").array().notNull(),
    description: text("description").notNull(),
    /** The newest first; older secrets sign too until they end. Sealed where a key is configured; `requestKey` is that of the rotation that made the secret. */
    secrets: jsonb("secrets").$type<{ sealed: string; expiresAt: string | null; requestKey?: string | null }[]>().notNull(),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`clock_timestamp()`),
    createdBy: text("created_by").notNull(),
    disabledAt: moment("disabled_at"),
    disabledReason: text("disabled_reason"),
    deletedAt: moment("deleted_at"),
    /** How many attempts in a row were taken (above zero) or failed (below). */
    streak: integer("streak").notNull().default(0),
    /** Until when nothing is sent: the receiver asked for it, or has failed again and again. */
    restUntil: moment("rest_until"),
  },
  (table) => [index("webhooks_created").on(table.createdAt, table.id)],
);

/** One event for one webhook: its body as it is signed and sent, and what became of it. */
export const webhookDeliveries = pgTable(
  "webhook_deliveries",
  {
    id: identity(),
    webhookId: text("webhook_id")
      .notNull()
      .references(() => webhooks.id),
    eventId: text("event_id").notNull(),
    eventType: text("event_type").notNull(),
    body: text("body").notNull(),
    status: text("status").notNull().default("pending"),
    attempts: integer("attempts").notNull().default(0),
    responseStatus: integer("response_status"),
    lastError: text("last_error"),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`clock_timestamp()`),
    updatedAt: moment("updated_at")
      .notNull()
      .default(sql`clock_timestamp()`),
    nextAttemptAt: moment("next_attempt_at"),
    /** When its workflow was started; null while it has to be started. */
    dispatchedAt: moment("dispatched_at"),
  },
  (table) => [
    unique("webhook_deliveries_event").on(table.webhookId, table.eventId),
    check("webhook_deliveries_status", sql`${table.status} in ('pending', 'delivered', 'failed', 'abandoned')`),
    index("webhook_deliveries_list").on(table.webhookId, table.id),
    index("webhook_deliveries_waiting_of")
      .on(table.webhookId, table.id)
      .where(sql`${table.dispatchedAt} is null and ${table.status} = 'pending'`),
    index("webhook_deliveries_on_their_way")
      .on(table.webhookId, table.dispatchedAt)
      .where(sql`${table.status} = 'pending' and ${table.attempts} = 0 and ${table.dispatchedAt} is not null`),
    index("webhook_deliveries_created").on(table.createdAt),
    index("webhook_deliveries_open")
      .on(table.status)
      .where(sql`${table.status} in ('pending', 'failed')`),
  ],
);
