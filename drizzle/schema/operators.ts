import { sql } from "drizzle-orm";
import { boolean, check, index, integer, jsonb, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { identity, keyText, moment } from "../column-types.ts";

/** The operators' book: each act by hand, done or refused, and why. Append-only. */
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

/** Captures and charges that must wait: all, those of a service, or those of a user. A row stands as long as its pause lasts. */
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
