import { sql } from "drizzle-orm";
import { boolean, check, index, integer, jsonb, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { bytea, identity, keyText, minor, moment } from "../column-types.ts";

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
    /** When and by whom the dead letter was last sent again, and when a redrive of it was last refused. */
    redrivenAt: moment("redriven_at"),
    redrivenBy: text("redriven_by"),
    refusedAgainAt: moment("refused_again_at"),
    /** The effect it is bound to from its first valid correction on: the key of an operation or the id of a workflow. Set once. */
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

/** Each time a dead letter was sent again, verbatim or corrected. Only a message whose value has such a row counts as its redrive. */
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

/** The workflow that an event with an id of its own was for, where no operation has its key: the same id never serves another workflow. Append-only. */
export const eventIdentities = pgTable("event_identities", {
  identity: keyText("identity").primaryKey(),
  workflowId: text("workflow_id").notNull(),
  recordedAt: moment("recorded_at")
    .notNull()
    .default(sql`clock_timestamp()`),
});

/** Which rows of a source were handed over to a topic, where rows have no id of their own. A later file of the source must go on from them. Append-only. */
export const importFiles = pgTable(
  "import_files",
  {
    topic: text("topic").notNull(),
    source: text("source").notNull(),
    /** Counts the files of a source from 1. */
    version: integer("version").notNull(),
    /** How many of the file's rows have no id of their own, and the last one's hash in the file's chain. */
    rows: integer("rows").notNull(),
    head: text("head").notNull(),
    recordedAt: moment("recorded_at")
      .notNull()
      .default(sql`clock_timestamp()`),
  },
  (table) => [primaryKey({ columns: [table.topic, table.source, table.version] }), check("import_files_rows", sql`${table.rows} > 0`)],
);

/**
 * The topics that stood under one name: a topic that is deleted and made again, or another cluster's, is another incarnation, and a place in it is
 * another place. Those with one number are declared to hold the same messages at the same places. The number is final from the first read on.
 */
export const topicIncarnations = pgTable(
  "topic_incarnations",
  {
    topic: text("topic").notNull(),
    clusterId: text("cluster_id").notNull(),
    /** Empty for a broker that gives topics no ids. */
    topicId: text("topic_id").notNull(),
    /** 1 is the first that was read, and what earlier releases read. */
    number: integer("number").notNull(),
    recordedAt: moment("recorded_at")
      .notNull()
      .default(sql`clock_timestamp()`),
    firstReadAt: moment("first_read_at"),
  },
  (table) => [
    primaryKey({ columns: [table.topic, table.clusterId, table.topicId] }),
    check("topic_incarnations_number", sql`${table.number} > 0`),
  ],
);
