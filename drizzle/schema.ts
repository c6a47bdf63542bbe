import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { bytea, keyText, xid8 } from "./column-types.ts";

const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });
const minor = (name: string) => bigint(name, { mode: "bigint" });
const identity = () => minor("id").primaryKey().generatedAlwaysAsIdentity();

/** Balances. `balance_minor` is credits less debits; `version` rises by one with each posting of the account. */
export const accounts = pgTable(
  "accounts",
  {
    id: identity(),
    kind: text("kind").notNull(),
    owner: keyText("owner").notNull(),
    currency: text("currency").notNull(),
    balanceMinor: minor("balance_minor")
      .notNull()
      .default(sql`0`),
    version: minor("version")
      .notNull()
      .default(sql`0`),
  },
  (table) => [
    unique("accounts_kind_owner_currency").on(table.kind, table.owner, table.currency),
    unique("accounts_id_currency").on(table.id, table.currency),
    check("accounts_kind", sql`${table.kind} in ('available', 'held', 'revenue', 'external', 'psp')`),
    check("accounts_never_below_zero", sql`${table.kind} not in ('available', 'held') or ${table.balanceMinor} >= 0`),
    index("accounts_owner").on(table.owner, table.currency),
  ],
);

/** What was asked of the ledger and what became of it, refused requests included. Append-only; `key` is permanent. */
export const operations = pgTable(
  "operations",
  {
    id: identity(),
    key: keyText("key").notNull().unique("operations_key"),
    contentHash: text("content_hash").notNull(),
    kind: text("kind").notNull(),
    outcome: text("outcome").notNull(),
    refusalCode: text("refusal_code"),
    currency: text("currency").notNull(),
    amountMinor: minor("amount_minor").notNull(),
    userId: keyText("user_id"),
    peerUserId: keyText("peer_user_id"),
    serviceId: keyText("service_id"),
    orderId: keyText("order_id"),
    holdId: keyText("hold_id"),
    workflowId: text("workflow_id"),
    runId: text("run_id"),
    topic: text("topic"),
    partition: integer("partition"),
    offset: minor("offset"),
    caller: text("caller").notNull(),
    correlationId: text("correlation_id").notNull(),
    comment: text("comment").notNull(),
    effectiveAt: moment("effective_at").notNull(),
    recordedAt: moment("recorded_at").notNull(),
    transactionId: xid8("transaction_id")
      .notNull()
      .default(sql`pg_current_xact_id()`),
  },
  (table) => [
    check(
      "operations_kind",
      sql`${table.kind} in ('deposit', 'withdrawal', 'transfer', 'hold', 'capture', 'release', 'expiry', 'charge', 'refund', 'accrual', 'redemption')`,
    ),
    check(
      "operations_outcome",
      sql`(${table.outcome} = 'done' and ${table.refusalCode} is null) or (${table.outcome} = 'refused' and ${table.refusalCode} is not null)`,
    ),
    index("operations_user").on(table.userId, table.id),
    index("operations_peer")
      .on(table.peerUserId, table.id)
      .where(sql`${table.peerUserId} is not null`),
    index("operations_order")
      .on(table.orderId)
      .where(sql`${table.orderId} is not null`),
    index("operations_position")
      .on(table.topic, table.partition, table.offset)
      .where(sql`${table.topic} is not null`),
  ],
);

/**
 * One movement: a debit account, a credit account of the same currency, a positive amount, and both balances and versions after it.
 * Append-only. A trigger per statement checks that both accounts exist and have its currency: foreign keys, checked row by row,
 * took half the time of a batch (200 transfers: 55 ms with them, 26 ms without; two cores, 2026).
 */
export const postings = pgTable(
  "postings",
  {
    id: identity(),
    operationId: minor("operation_id").notNull(),
    currency: text("currency").notNull(),
    debitAccount: minor("debit_account").notNull(),
    creditAccount: minor("credit_account").notNull(),
    amountMinor: minor("amount_minor").notNull(),
    debitBalanceMinor: minor("debit_balance_minor").notNull(),
    debitVersion: minor("debit_version").notNull(),
    creditBalanceMinor: minor("credit_balance_minor").notNull(),
    creditVersion: minor("credit_version").notNull(),
    holdId: keyText("hold_id"),
    /** Set when one side is a revenue account: which service, its name at that moment, and the signed change of its revenue. */
    serviceId: keyText("service_id"),
    serviceName: text("service_name"),
    revenueMinor: minor("revenue_minor"),
    effectiveAt: moment("effective_at").notNull(),
    recordedAt: moment("recorded_at").notNull(),
    transactionId: xid8("transaction_id")
      .notNull()
      .default(sql`pg_current_xact_id()`),
  },
  (table) => [
    check("postings_amount_positive", sql`${table.amountMinor} > 0`),
    check("postings_two_accounts", sql`${table.debitAccount} <> ${table.creditAccount}`),
    uniqueIndex("postings_debit_version").on(table.debitAccount, table.debitVersion),
    uniqueIndex("postings_credit_version").on(table.creditAccount, table.creditVersion),
    index("postings_operation").on(table.operationId),
    index("postings_revenue")
      .on(table.effectiveAt)
      .where(sql`${table.serviceId} is not null`),
  ],
);

/** Money set aside. A client's reservation and each line of an order stand on one; it leaves `held` once. */
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
    /** The end of which clients were told that it comes; another one after an extension. */
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
    /** The compensation that is past its fast retries, since when; both null when nothing is stuck. */
    stuckStep: text("stuck_step"),
    stuckSince: moment("stuck_since"),
    /** What a person ended by hand instead of its compensation, in words; null when nothing. */
    settledByHand: text("settled_by_hand"),
    /** What its workflow was started with but for the lines, so that a lost one is started again; null of older rows. Never a card's number. */
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

/** What is sold. A deleted one keeps its row, for the orders and holds that name it; its name is free again. */
export const services = pgTable(
  "services",
  {
    id: keyText("id").primaryKey(),
    name: text("name").notNull(),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
    deletedAt: moment("deleted_at"),
  },
  (table) => [
    uniqueIndex("services_name")
      .on(table.name)
      .where(sql`${table.deletedAt} is null`),
  ],
);

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
    index("outbox_unpublished")
      .on(table.id)
      .where(sql`${table.publishedAt} is null`),
    index("outbox_order")
      .on(table.aggregateId)
      .where(sql`${table.aggregateType} = 'order'`),
  ],
);

/** Messages that could not be taken, once per identity. Their copy for Kafka leaves by the outbox. */
export const deadLetters = pgTable(
  "dead_letters",
  {
    id: identity(),
    identity: keyText("identity").notNull().unique("dead_letters_identity"),
    topic: text("topic").notNull(),
    partition: integer("partition").notNull(),
    offset: minor("offset").notNull(),
    code: text("code").notNull(),
    reason: text("reason").notNull(),
    rawKey: bytea("raw_key"),
    rawValue: bytea("raw_value"),
    headers: jsonb("headers").$type<Record<string, string>>().notNull(),
    attempts: integer("attempts").notNull(),
    recordedAt: moment("recorded_at")
      .notNull()
      .default(sql`clock_timestamp()`),
    /** When and by whom it was last sent again, and when what was sent again was last refused. */
    redrivenAt: moment("redriven_at"),
    redrivenBy: text("redriven_by"),
    refusedAgainAt: moment("refused_again_at"),
    /** What it is from its first valid correction on: the key of an operation or the id of a workflow. Set once. */
    effectKey: keyText("effect_key"),
  },
  (table) => [
    index("dead_letters_position").on(table.topic, table.partition, table.offset),
    index("dead_letters_waiting")
      .on(table.id)
      .where(sql`${table.redrivenAt} is null`),
    index("dead_letters_refused_again")
      .on(table.id)
      .where(sql`${table.refusedAgainAt} is not null`),
  ],
);

/** Each time a dead letter was sent again, as it was or corrected. Only a message with such a row's value speaks for the dead letter. */
export const deadLetterRedrives = pgTable(
  "dead_letter_redrives",
  {
    id: identity(),
    deadLetterId: minor("dead_letter_id")
      .notNull()
      .references(() => deadLetters.id),
    valueSha256: text("value_sha256").notNull(),
    corrected: boolean("corrected").notNull(),
    actor: text("actor").notNull(),
    reason: text("reason").notNull(),
    correlationId: text("correlation_id").notNull(),
    recordedAt: moment("recorded_at")
      .notNull()
      .default(sql`clock_timestamp()`),
  },
  (table) => [index("dead_letter_redrives_letter").on(table.deadLetterId, table.valueSha256)],
);

/** What became of a message where no operation and no dead letter of its own place tells it: duplicates, redrives, started workflows. */
export const eventReceipts = pgTable(
  "event_receipts",
  {
    topic: text("topic").notNull(),
    partition: integer("partition").notNull(),
    offset: minor("offset").notNull(),
    identity: keyText("identity").notNull(),
    outcome: text("outcome").notNull(),
    operationId: minor("operation_id"),
    workflowId: text("workflow_id"),
    deadLetterId: minor("dead_letter_id"),
    code: text("code"),
    recordedAt: moment("recorded_at")
      .notNull()
      .default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({ columns: [table.topic, table.partition, table.offset] }),
    index("event_receipts_workflow")
      .on(table.workflowId)
      .where(sql`${table.workflowId} is not null`),
    check("event_receipts_outcome", sql`${table.outcome} in ('applied', 'refused', 'duplicate', 'started', 'dead-lettered')`),
  ],
);

/** Which workflow an event with an id of its own was for, where no operation has that key: the same id is never another's. Append-only. */
export const eventIdentities = pgTable("event_identities", {
  identity: keyText("identity").primaryKey(),
  workflowId: text("workflow_id").notNull(),
  recordedAt: moment("recorded_at")
    .notNull()
    .default(sql`clock_timestamp()`),
});

/** Where events are sent by HTTP. A deleted one keeps its row for its log of deliveries, without its secrets. */
export const webhooks = pgTable(
  "webhooks",
  {
    id: text("id").primaryKey(),
    url: text("url").notNull(),
    /** Types such as `saldo.order.completed`, groups such as `saldo.order.*`; empty is all. */
    eventTypes: text("event_types").array().notNull(),
    description: text("description").notNull(),
    /** The newest first; those before it sign too until they end. Sealed where a key is configured; `requestKey` is of the rotation that made it. */
    secrets: jsonb("secrets").$type<{ sealed: string; expiresAt: string | null; requestKey?: string | null }[]>().notNull(),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`clock_timestamp()`),
    createdBy: text("created_by").notNull(),
    disabledAt: moment("disabled_at"),
    disabledReason: text("disabled_reason"),
    deletedAt: moment("deleted_at"),
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
    /** When its workflow was started; null while one has to be. */
    dispatchedAt: moment("dispatched_at"),
  },
  (table) => [
    unique("webhook_deliveries_event").on(table.webhookId, table.eventId),
    check("webhook_deliveries_status", sql`${table.status} in ('pending', 'delivered', 'failed', 'abandoned')`),
    index("webhook_deliveries_list").on(table.webhookId, table.id),
    index("webhook_deliveries_waiting")
      .on(table.id)
      .where(sql`${table.dispatchedAt} is null and ${table.status} = 'pending'`),
    index("webhook_deliveries_created").on(table.createdAt),
    index("webhook_deliveries_open")
      .on(table.status)
      .where(sql`${table.status} in ('pending', 'failed')`),
  ],
);

/** One immutable version of a month's revenue. */
export const reports = pgTable(
  "reports",
  {
    month: text("month").notNull(),
    version: integer("version").notNull(),
    status: text("status").notNull(),
    timeZone: text("time_zone").notNull(),
    partial: boolean("partial").notNull(),
    watermark: text("watermark"),
    sha256: text("sha256"),
    fileName: text("file_name"),
    lineCount: integer("line_count"),
    workflowId: text("workflow_id").notNull(),
    correlationId: text("correlation_id").notNull(),
    failureCode: text("failure_code"),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
    completedAt: moment("completed_at"),
  },
  (table) => [
    primaryKey({ columns: [table.month, table.version] }),
    check("reports_status", sql`${table.status} in ('running', 'completed', 'failed')`),
    check(
      "reports_complete",
      sql`${table.status} <> 'completed' or (${table.watermark} is not null and ${table.sha256} is not null and ${table.fileName} is not null)`,
    ),
  ],
);

export const reportLines = pgTable(
  "report_lines",
  {
    month: text("month").notNull(),
    version: integer("version").notNull(),
    currency: text("currency").notNull(),
    serviceId: text("service_id").notNull(),
    serviceName: text("service_name").notNull(),
    revenueMinor: minor("revenue_minor").notNull(),
    saleCount: minor("sale_count").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.month, table.version, table.currency, table.serviceId, table.serviceName] }),
    foreignKey({ name: "report_lines_report", columns: [table.month, table.version], foreignColumns: [reports.month, reports.version] }),
  ],
);

/** Who may do a thing that one process does at a time, until when. */
export const leases = pgTable("leases", {
  name: text("name").primaryKey(),
  holder: text("holder").notNull(),
  until: moment("until").notNull(),
});

/** Who may log in. `id` is the subject of the tokens and, for a user, the owner of accounts. */
export const users = pgTable(
  "users",
  {
    id: keyText("id").primaryKey(),
    login: keyText("login").notNull().unique("users_login"),
    passwordHash: text("password_hash").notNull(),
    roles: text("roles").array().notNull(),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
    disabledAt: moment("disabled_at"),
  },
  (table) => [check("users_roles", sql`${table.roles} <@ array['user', 'service', 'admin']::text[] and cardinality(${table.roles}) > 0`)],
);

/** One login and everything refreshed from it. Revoked, none of its tokens is taken any more. */
export const sessions = pgTable(
  "sessions",
  {
    id: text("id").primaryKey(),
    userId: keyText("user_id")
      .notNull()
      .references(() => users.id),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
    expiresAt: moment("expires_at").notNull(),
    revokedAt: moment("revoked_at"),
    reason: text("reason"),
  },
  (table) => [index("sessions_user").on(table.userId), index("sessions_expires").on(table.expiresAt)],
);

/** Refresh tokens by their SHA-256; each is used once. One that comes a second time was stolen, and its session ends. */
export const refreshTokens = pgTable(
  "refresh_tokens",
  {
    hash: text("hash").primaryKey(),
    sessionId: text("session_id")
      .notNull()
      .references(() => sessions.id),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
    expiresAt: moment("expires_at").notNull(),
    usedAt: moment("used_at"),
  },
  (table) => [index("refresh_tokens_session").on(table.sessionId), index("refresh_tokens_expires").on(table.expiresAt)],
);

/** Access tokens that are refused before their end, by their `jti`. The truth; Redis only knows it sooner. */
export const revokedTokens = pgTable(
  "revoked_tokens",
  {
    tokenId: keyText("token_id").primaryKey(),
    subject: keyText("subject").notNull(),
    expiresAt: moment("expires_at").notNull(),
    revokedAt: moment("revoked_at")
      .notNull()
      .default(sql`now()`),
  },
  (table) => [index("revoked_tokens_expires").on(table.expiresAt)],
);

/** Every token of the subject issued up to this moment is refused. */
export const revokedSubjects = pgTable("revoked_subjects", {
  subject: keyText("subject").primaryKey(),
  revokedUpTo: moment("revoked_up_to").notNull(),
});

/** The first final answer to a request with an Idempotency-Key, as it was sent. */
export const idempotencyAnswers = pgTable(
  "idempotency_answers",
  {
    key: keyText("key").primaryKey(),
    requestHash: text("request_hash").notNull(),
    status: integer("status").notNull(),
    headers: jsonb("headers").$type<Record<string, string>>().notNull(),
    body: text("body").notNull(),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
  },
  (table) => [index("idempotency_answers_created").on(table.createdAt)],
);

/** A user who was deleted: their accounts had this version then. A later credit makes them a user again. */
export const closedUsers = pgTable("closed_users", {
  userId: keyText("user_id").primaryKey(),
  closedVersion: minor("closed_version").notNull(),
  closedAt: moment("closed_at").notNull(),
  closedBy: text("closed_by").notNull(),
});

/** What people did by hand or were refused, and why. Append-only. */
export const acts = pgTable(
  "acts",
  {
    id: identity(),
    recordedAt: moment("recorded_at")
      .notNull()
      .default(sql`clock_timestamp()`),
    actor: text("actor").notNull(),
    act: text("act").notNull(),
    subjectType: text("subject_type").notNull(),
    subjectId: text("subject_id").notNull(),
    reason: text("reason").notNull(),
    details: jsonb("details").$type<Record<string, string>>().notNull(),
    correlationId: text("correlation_id").notNull(),
  },
  (table) => [index("acts_subject").on(table.subjectType, table.subjectId, table.id)],
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

/** The payment of an order: one each. What was authorised, captured and given back, in minor units. */
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
    /** When each was first known; null when it was not, or of older rows. */
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

/** Captures and charges that must wait: all, those of a service, or those of a user. The row is there as long as the pause lasts. */
export const pauses = pgTable(
  "pauses",
  {
    scope: text("scope").notNull(),
    /** The service's or user's id; empty for all. */
    subject: keyText("subject").notNull(),
    reason: text("reason").notNull(),
    pausedBy: text("paused_by").notNull(),
    pausedAt: moment("paused_at")
      .notNull()
      .default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.subject] }),
    check("pauses_scope", sql`${table.scope} in ('all', 'service', 'user') and (${table.scope} = 'all') = (${table.subject} = '')`),
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

/** What each run of the standing self-audit found. `provedMs` is how long the proof of the books took, null when this run left it out. */
export const selfAudits = pgTable(
  "self_audits",
  {
    id: identity(),
    at: moment("at")
      .notNull()
      .default(sql`clock_timestamp()`),
    ok: boolean("ok").notNull(),
    provedMs: integer("proved_ms"),
    findings: jsonb("findings").$type<Record<string, unknown>[]>().notNull(),
  },
  (table) => [index("self_audits_at").on(table.at)],
);
