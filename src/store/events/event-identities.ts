import { sql } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";

/**
 * Gives an event's permanent key to a workflow, for ever, and answers whose it is: that one's, or the one's that had it before.
 * Safe to retry. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function claimEventIdentity(db: Db, claim: { readonly identity: string; readonly workflowId: string }): Promise<string> {
  await db.execute(sql`
    insert into event_identities (identity, workflow_id) values (${claim.identity}, ${claim.workflowId}) on conflict (identity) do nothing`);
  // A statement of its own sees the row that was in the way.
  const [row] = await db.execute<{ workflow_id: string }>(sql`
    select workflow_id from event_identities where identity = ${claim.identity}`);
  if (row === undefined) throw new Error("the identity was not kept");
  return row.workflow_id;
}
