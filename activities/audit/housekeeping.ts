import type { HousekeepingInput, HousekeepingResult } from "../../src/contract/self-audit.ts";
import { EXPIRING_TABLES, pruneExpired, pruneOutbox } from "../../src/store/postgres/housekeeping.ts";
import type { ActivityDeps } from "../activity-deps.ts";

/** How many pieces of 1,000 rows one run removes from each table. */
const MAX_PIECES = 100;

/** The activity of the `housekeeping` workflow. */
export function createHousekeeping({ db }: Pick<ActivityDeps, "db">) {
  return {
    /** Removes expired rows and published messages older than `outboxKeepMs`, in pieces. Safe to retry: the next run removes what is left. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
    async removeExpired({ outboxKeepMs }: HousekeepingInput): Promise<HousekeepingResult> {
      const removed: Record<string, number> = {};
      for (const table of EXPIRING_TABLES) {
        let count = 0;
        for (let piece = 0, last = 1; piece < MAX_PIECES && last > 0; piece += 1) count += last = await pruneExpired(db, table);
        removed[table] = count;
      }
      let outbox = 0;
      for (let piece = 0, afterId: string | undefined = "0"; piece < MAX_PIECES && afterId !== undefined; piece += 1) {
        const pruned: Awaited<ReturnType<typeof pruneOutbox>> = await pruneOutbox(db, { keepMs: outboxKeepMs, afterId });
        outbox += pruned.removed;
        afterId = pruned.nextId;
      }
      return { ...removed, outbox };
    },
  };
}
