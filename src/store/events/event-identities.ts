import { sql } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";

/**
 * Binds an event's permanent key to a workflow, for ever, unless it is bound already; returns the id of the workflow it is bound to.
 * Safe to retry. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function claimEventIdentity(db: Db, claim: { readonly identity: string; readonly workflowId: string }): Promise<string> {
  await db.execute(sql`
    insert into event_identities (identity, workflow_id) values (${claim.identity}, ${claim.workflowId}) on conflict (identity) do nothing`);
  // A second statement: the snapshot of the first does not show the row that its insert met.
  const [row] = await db.execute<{ workflow_id: string }>(sql`
    select workflow_id from event_identities where identity = ${claim.identity}`);
  if (row === undefined) throw new Error("the identity was not kept");
  return row.workflow_id;
}
