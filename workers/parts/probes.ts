import type { Client } from "@temporalio/client";
import { sql } from "drizzle-orm";
import { withinOrThrow } from "../../src/base/deadline.ts";
import type { Db } from "../../src/store/postgres/database.ts";

/** Settles when Postgres answers. Throws: UNAVAILABLE, DEADLINE_EXCEEDED by the deadline of the database's lanes. */
export async function pingPostgres(db: Db): Promise<void> {
  await db.execute(sql`select 1`);
}

/** Settles when Temporal answers. Throws: DEADLINE_EXCEEDED after `deadlineMs`; the client's error. */
export async function pingTemporal(client: Client, deadlineMs: number): Promise<void> {
  // A native connection does not keep its own deadline when the server does not answer at all.
  await withinOrThrow(
    client.withDeadline(Date.now() + deadlineMs, () => client.workflowService.getSystemInfo({})),
    deadlineMs,
  );
}
