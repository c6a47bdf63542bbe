import { sql } from "drizzle-orm";
import { pgTable, text, uniqueIndex } from "drizzle-orm/pg-core";
import { keyText, moment } from "../column-types.ts";

/** What is sold. A deleted service keeps its row, for the orders and holds that name it; its name is free again. */
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
