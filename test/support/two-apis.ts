import type { TaskQueue } from "../../src/contract/task-queues.ts";
import { createTestApi, type TestApi } from "./http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "./http-system.ts";
import { createTestDatabase } from "./test-database.ts";

type Workers = Parameters<typeof startTestWorkflows>;

/** Two APIs over one database, which sells the service `gig`. */
export interface TwoApis {
  /** With workers in its process. */
  readonly api: TestApi;
  /** As another process, in which nothing is committed by workers. */
  readonly elsewhere: TestApi;
  readonly workflows: TestWorkflows;
  close(): Promise<void>;
}

/** Starts them. `more` is what the workers and the starters of `api` share. */
export async function startTwoApis(taskQueues: readonly TaskQueue[], more: Workers[5], psp?: Workers[3]): Promise<TwoApis> {
  const database = await createTestDatabase();
  const workflows = await startTestWorkflows(database.appUrl, taskQueues, undefined, psp, undefined, more);
  const api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, ...(psp === undefined ? {} : { psp }) });
  const elsewhere = createTestApi({ databaseUrl: database.appUrl });
  await api.call("POST", "/api/v1/services", { body: { id: "gig", name: "Gig" } });
  return {
    api,
    elsewhere,
    workflows,
    async close() {
      await Promise.all([api.close(), elsewhere.close()]);
      await workflows.close();
      await database.drop();
    },
  };
}
