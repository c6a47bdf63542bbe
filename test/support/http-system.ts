import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { DefaultLogger, Runtime } from "@temporalio/worker";
import { inject } from "vitest";
import { createActivities } from "../../activities/index.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createBalanceCache } from "../../src/adapters/cache.ts";
import { createTemporal } from "../../src/adapters/temporal.ts";
import type { TaskQueue } from "../../src/contract/task-queues.ts";
import { createStarters, type Starters } from "../../src/starters.ts";
import { createDatabase } from "../../src/store/database.ts";
import { createLedger } from "../../src/store/ledger.ts";
import { createSaldoWorkers } from "../../workers/create-worker.ts";
import { buildWorkflowBundle } from "../../workers/workflow-bundle.ts";
import { makeTestNamespace } from "./test-namespace.ts";

export interface TestWorkflows {
  readonly starters: Starters;
  /** Takes the workers away: what was started stays as it is. */
  stopWorkers(): Promise<void>;
  close(): Promise<void>;
}

/** Real workflows on the test's Temporal over the test's database, in a namespace of its own: workers of other tests have other databases. */
export async function startTestWorkflows(databaseUrl: string, taskQueues: readonly TaskQueue[]): Promise<TestWorkflows> {
  const database = createDatabase({ url: databaseUrl, name: "test-worker", laneCount: 4, deadlineMs: 10_000 });
  const ledger = createLedger({ url: databaseUrl, name: "test-worker-ledger", laneCount: 2, deadlineMs: 10_000 });
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger("ERROR") });
  const namespace = await makeTestNamespace(inject("temporalAddress"));
  const link = await createTemporal({ address: inject("temporalAddress"), namespace, deadlineMs: 10_000, logger: SILENT_LOG });
  const reportsDir = await mkdtemp(join(tmpdir(), `saldo-reports-${randomUUID().slice(0, 8)}-`));
  const workers = await createSaldoWorkers({
    connection: link.connection,
    namespace: link.namespace,
    taskQueues,
    bundlePath: await buildWorkflowBundle(join(homedir(), ".cache", "saldo")),
    activities: createActivities({
      db: database.db,
      ledger,
      balanceCache: createBalanceCache({ url: undefined, logger: SILENT_LOG }),
      logger: SILENT_LOG,
      reportsDir,
      openLane: (name, deadlineMs) => database.openLane(name, deadlineMs),
    }),
    cacheSize: 100,
  });
  return {
    starters: createStarters({ client: link.client, eager: true, deadlineMs: 10_000 }),
    stopWorkers: () => workers.stop(),
    async close() {
      await workers.stop();
      await link.close();
      await Promise.all([database.close(), ledger.close(), rm(reportsDir, { recursive: true, force: true })]);
    },
  };
}
