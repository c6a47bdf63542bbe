import { sql } from "drizzle-orm";
import type { Db } from "./database.ts";

/**
 * Takes or renews a lease: true when `holder` has it for the next `ttlMs`, by the database's clock.
 * Safe to retry. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function takeLease(
  db: Db,
  input: { readonly name: string; readonly holder: string; readonly ttlMs: number },
): Promise<boolean> {
  const until = sql`clock_timestamp() + ${input.ttlMs}::integer * interval '1 millisecond'`;
  const rows = await db.execute(sql`
    insert into leases (name, holder, until) values (${input.name}, ${input.holder}, ${until})
    on conflict (name) do update set holder = excluded.holder, until = excluded.until
     where leases.holder = excluded.holder or leases.until < clock_timestamp()
    returning name`);
  return [...rows].length === 1;
}

/** Gives a lease back early, so that the next holder need not wait. Does nothing when somebody else has it. Safe to retry. */
export async function releaseLease(db: Db, input: { readonly name: string; readonly holder: string }): Promise<void> {
  await db.execute(sql`update leases set until = clock_timestamp() where name = ${input.name} and holder = ${input.holder}`);
}
