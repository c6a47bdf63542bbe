import { messageOf } from "../../base/errors.ts";
import { createLane } from "../../store/postgres/lane.ts";
import { isPooled } from "../../store/postgres/pooler.ts";
import type { Facts } from "./diagnosis.ts";

const DEADLINE_MS = 3_000;

/** Asks the database at the address whether it answers, and looks whether a pooler stands before it. Never throws. */
export async function probeDatabase(databaseUrl: string, adminUrl: string | undefined): Promise<NonNullable<Facts["database"]>> {
  const lane = createLane({ url: databaseUrl, name: "saldo-doctor", deadlineMs: DEADLINE_MS });
  const trouble = await lane.rows("select 1", []).then(() => undefined, messageOf);
  await lane.close();
  return { trouble, isPooled: isPooled(databaseUrl), hasAdminUrl: adminUrl !== undefined };
}
