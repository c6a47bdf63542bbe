import { readOutboxBacklog } from "../../src/store/outbox/outbox-backlog.ts";
import type { Db } from "../../src/store/postgres/database.ts";
import { untilTrue } from "../measure/within.ts";

const SETTLE_MS = 10_000;

/** Waits for some time until every message of the outbox was published, so that the next measurement does not pay for this one's. */
export async function settleOutbox(db: Db): Promise<void> {
  // A relay that takes longer is slow and not wrong.
  await untilTrue(SETTLE_MS, "the publishing of all messages", async () => (await readOutboxBacklog(db)).count === 0).catch(
    () => undefined,
  );
}
