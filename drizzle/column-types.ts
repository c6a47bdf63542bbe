import { bigint, customType, timestamp } from "drizzle-orm/pg-core";

/** A moment with its time zone, as a Date. */
export const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

/** A bigint as a JavaScript bigint: minor units, versions, offsets and ids. */
export const minor = (name: string) => bigint(name, { mode: "bigint" });

/** The `id` of a row, numbered by the database. */
export const identity = () => minor("id").primaryKey().generatedAlwaysAsIdentity();

/** Raw bytes, as a Node Buffer. */
export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => "bytea" });

/** A transaction id that never wraps; compared with a snapshot it tells whether a row had been committed by then. */
export const xid8 = customType<{ data: string; driverData: string }>({ dataType: () => "xid8" });

/** Text compared byte by byte: a range of keys is the range an index scan walks, whatever the database's locale. */
export const keyText = customType<{ data: string; driverData: string }>({ dataType: () => 'text COLLATE "C"' });
