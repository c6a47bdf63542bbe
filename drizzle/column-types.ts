import { customType } from "drizzle-orm/pg-core";

/** Raw bytes, as a Node Buffer. */
export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => "bytea" });

/** A transaction id that never wraps; compared with a snapshot it tells whether a row had been committed by then. */
export const xid8 = customType<{ data: string; driverData: string }>({ dataType: () => "xid8" });

/** Text compared byte by byte: a range of keys is the range an index scan walks, whatever the database's locale. */
export const keyText = customType<{ data: string; driverData: string }>({ dataType: () => 'text COLLATE "C"' });
