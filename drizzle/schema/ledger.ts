import { sql } from "drizzle-orm";
import { check, index, integer, pgTable, text, unique, uniqueIndex } from "drizzle-orm/pg-core";
import { identity, keyText, minor, moment, xid8 } from "../column-types.ts";

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

/** Every operation asked of the ledger with its outcome, refused ones included. Append-only; `key` is permanent. */
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
      sql`${table.kind} in ('deposit', 'withdrawal', 'transfer', 'hold', 'capture', 'release', 'expiry', 'charge', 'refund', 'accrual', 'redemption', 'dispute', 'dispute_reversal', 'refund_reversal')`,
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
