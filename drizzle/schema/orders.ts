import { sql } from "drizzle-orm";
import { check, index, integer, jsonb, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { keyText, minor, moment } from "../column-types.ts";

/** An order and the state of its saga. */
export const orders = pgTable(
  "orders",
  {
    id: keyText("id").primaryKey(),
    userId: keyText("user_id").notNull(),
    status: text("status").notNull(),
    sagaState: text("saga_state").notNull(),
    currency: text("currency").notNull(),
    totalMinor: minor("total_minor").notNull(),
    paymentMethod: text("payment_method").notNull(),
    failureCode: text("failure_code"),
    failureMessage: text("failure_message"),
    comment: text("comment").notNull(),
    requestHash: text("request_hash").notNull(),
    workflowId: text("workflow_id").notNull(),
    caller: text("caller").notNull(),
    correlationId: text("correlation_id").notNull(),
    version: minor("version")
      .notNull()
      .default(sql`1`),
    createdAt: moment("created_at").notNull(),
    updatedAt: moment("updated_at").notNull(),
    /** The step whose compensation is past its fast retries, and since when; both null when no step is stuck. */
    stuckStep: text("stuck_step"),
    stuckSince: moment("stuck_since"),
    /** What an operator ended by hand instead of its compensation, in words; null when nothing was. */
    settledByHand: text("settled_by_hand"),
    /** The input of its workflow without the lines, so that a lost workflow is started again; null in rows older than migration 0011. Never a card's number. */
    sagaInput: jsonb("saga_input").$type<Record<string, unknown>>(),
  },
  (table) => [
    check("orders_status", sql`${table.status} in ('PENDING', 'CONFIRMED', 'CANCELLED')`),
    check("orders_saga_state", sql`${table.sagaState} in ('STARTED', 'PAYMENT_PENDING', 'COMPLETED', 'COMPENSATING', 'FAILED')`),
    check("orders_total_positive", sql`${table.totalMinor} > 0`),
    index("orders_user").on(table.userId, table.createdAt, table.id),
    index("orders_created").on(table.createdAt, table.id),
    index("orders_stuck")
      .on(table.stuckSince)
      .where(sql`${table.stuckStep} is not null`),
  ],
);

/** The lines of an order. `amountMinor` is the price of the whole line. */
export const orderItems = pgTable(
  "order_items",
  {
    orderId: keyText("order_id")
      .notNull()
      .references(() => orders.id),
    lineNo: integer("line_no").notNull(),
    serviceId: keyText("service_id").notNull(),
    quantity: integer("quantity").notNull(),
    amountMinor: minor("amount_minor").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.orderId, table.lineNo] }),
    check("order_items_positive", sql`${table.quantity} > 0 and ${table.amountMinor} > 0`),
  ],
);

/** Each state an order has been in, with its version, by a trigger in the statement that made it true. Append-only. */
export const orderTransitions = pgTable(
  "order_transitions",
  {
    orderId: keyText("order_id").notNull(),
    version: minor("version").notNull(),
    sagaState: text("saga_state").notNull(),
    status: text("status").notNull(),
    at: moment("at").notNull(),
    failureCode: text("failure_code"),
    failureMessage: text("failure_message"),
  },
  (table) => [primaryKey({ columns: [table.orderId, table.version] })],
);

/** The one payment of each order: what was authorised, captured and given back, in minor units. */
export const payments = pgTable(
  "payments",
  {
    id: keyText("id").primaryKey(),
    orderId: keyText("order_id")
      .notNull()
      .unique("payments_order")
      .references(() => orders.id),
    method: text("method").notNull(),
    status: text("status").notNull(),
    providerReference: text("provider_reference"),
    currency: text("currency").notNull(),
    authorisedMinor: minor("authorised_minor")
      .notNull()
      .default(sql`0`),
    capturedMinor: minor("captured_minor")
      .notNull()
      .default(sql`0`),
    refundedMinor: minor("refunded_minor")
      .notNull()
      .default(sql`0`),
    last4: text("last4"),
    brand: text("brand"),
    createdAt: moment("created_at").notNull(),
    updatedAt: moment("updated_at").notNull(),
    /** When each step was first known; null when it was not, and in rows older than these columns. */
    authorisedAt: moment("authorised_at"),
    capturedAt: moment("captured_at"),
    refundedAt: moment("refunded_at"),
    /** When the card was released or declined. */
    endedAt: moment("ended_at"),
  },
  (table) => [
    check("payments_method", sql`${table.method} in ('wallet', 'card')`),
    check(
      "payments_status",
      sql`${table.status} in ('pending', 'authorised', 'captured', 'cancelled', 'declined', 'part_refunded', 'refunded')`,
    ),
    check(
      "payments_never_more_than_paid",
      sql`0 <= ${table.refundedMinor} and ${table.refundedMinor} <= ${table.capturedMinor} and 0 <= ${table.authorisedMinor}`,
    ),
  ],
);

/** Money given back after an order was completed. Its amount is set aside in the payment's row by the statement that writes it. */
export const refunds = pgTable(
  "refunds",
  {
    id: keyText("id").primaryKey(),
    orderId: keyText("order_id").notNull(),
    status: text("status").notNull(),
    currency: text("currency").notNull(),
    amountMinor: minor("amount_minor").notNull(),
    /** `[{lineNo, serviceId, amountMinor}]`, the parts of the order's lines. */
    lines: jsonb("lines").$type<{ lineNo: number; serviceId: string; amountMinor: string }[]>().notNull(),
    reason: text("reason").notNull(),
    requestHash: text("request_hash").notNull(),
    providerReference: text("provider_reference"),
    failureCode: text("failure_code"),
    caller: text("caller").notNull(),
    correlationId: text("correlation_id").notNull(),
    createdAt: moment("created_at").notNull(),
    updatedAt: moment("updated_at").notNull(),
  },
  (table) => [
    check("refunds_status", sql`${table.status} in ('pending', 'done', 'refused')`),
    check("refunds_positive", sql`${table.amountMinor} > 0`),
    index("refunds_order").on(table.orderId, table.createdAt),
  ],
);
