import { tmpdir } from "node:os";
import { clearMovedClusters } from "../servers/moved-clusters.ts";
import { SHARED_DIR } from "../servers/postgres-binaries.ts";
import { clearAbandoned } from "./abandoned.ts";
import { EPHEMERAL_PREFIX, TEST_RUN_PREFIX } from "./throw-away.ts";

/**
 * Clears away what killed starts and killed runs of the tests have left on this machine: their servers, their throw-away folders and the
 * Postgres clusters of these that lie outside of them. What belongs to a living process or to a data folder that is kept stays.
 * Safe to retry. Returns the removed folders.
 */
export async function clearLeftovers(
  places: { temporary: string; shared: string } = { temporary: tmpdir(), shared: SHARED_DIR },
): Promise<string[]> {
  const folders: string[] = [];
  for (const prefix of [EPHEMERAL_PREFIX, TEST_RUN_PREFIX]) folders.push(...(await clearAbandoned(places.temporary, prefix)));
  // Second, because a cluster belongs to nobody only once its data folder is gone.
  return [...folders, ...clearMovedClusters(places.shared)];
}
