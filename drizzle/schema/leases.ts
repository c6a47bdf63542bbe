import { pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "../column-types.ts";

/** Who may do a thing that one process does at a time, until when. */
export const leases = pgTable("leases", {
  name: text("name").primaryKey(),
  holder: text("holder").notNull(),
  until: moment("until").notNull(),
});
