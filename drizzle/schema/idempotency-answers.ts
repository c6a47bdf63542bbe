import { sql } from "drizzle-orm";
import { index, integer, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import { keyText, moment } from "../column-types.ts";

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
