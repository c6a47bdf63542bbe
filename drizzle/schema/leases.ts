import { pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "../column-types.ts";

/** Which process holds the right to work that one process does at a time, and until when. */
export const leases = pgTable("leases", {
  name: text("name").primaryKey(),
  holder: text("holder").notNull(),
  until: moment("until").notNull(),
});
