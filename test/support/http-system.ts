import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@temporalio/client";
import { DefaultLogger, Runtime } from "@temporalio/worker";
import { inject } from "vitest";
import type { WebhookPort } from "../../activities/activity-deps.ts";
import { createActivities } from "../../activities/index.ts";
import { SILENT_LOG, type Log } from "../../src/adapters/log.ts";
import type { PayloadProtection } from "../../src/adapters/payload-codec/payload-protection.ts";
import type { Psp } from "../../src/adapters/psp/psp.ts";
import { createTemporal } from "../../src/adapters/temporal/temporal.ts";
import type { TaskQueue } from "../../src/contract/task-queues.ts";
import type { EndedOrders } from "../../src/starters/ended-orders.ts";
import { createStarters, type Starters } from "../../src/starters/index.ts";
import type { PlacedHolds } from "../../src/starters/placed-holds.ts";
import { createLedger } from "../../src/store/ledger/ledger.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { createSaldoWorkers } from "../../workers/parts/create-worker.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import { createFakePsp } from "./fake-psp.ts";
import { makeTestNamespace } from "./test-namespace.ts";
import { workflowCacheSize } from "./workflow-cache.ts";

export interface TestWorkflows {
  readonly starters: Starters;
  readonly namespace: string;
  readonly client: Client;
  /** Stops the workers: started workflows stay as they are. */
  stopWorkers(): Promise<void>;
  /** Starts workers again after `stopWorkers`, as a deploy does. */
  restartWorkers(): Promise<void>;
  close(): Promise<void>;
}

/** Real workflows on the test's Temporal over the test's database, in a namespace of its own: workers of other tests have other databases. */
export async function startTestWorkflows(
  databaseUrl: string,
  taskQueues: readonly TaskQueue[],
  logger: Log = SILENT_LOG,
  psp: Psp = createFakePsp(),
  webhooks?: WebhookPort,
  more: {
    readonly namespace?: string;
    readonly protection?: PayloadProtection | undefined;
    readonly endedOrders?: EndedOrders;
    readonly placedHolds?: PlacedHolds;
  } = {},
): Promise<TestWorkflows> {
  const database = createDatabase({ url: databaseUrl, name: "test-worker", laneCount: 4, deadlineMs: 10_000 });
  const ledger = createLedger({ url: databaseUrl, name: "test-worker-ledger", laneCount: 2, deadlineMs: 10_000 });
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger("ERROR") });
  const { protection, endedOrders, placedHolds } = more;
  const namespace = more.namespace ?? (await makeTestNamespace(inject("temporalAddress")));
  const link = await createTemporal({ address: inject("temporalAddress"), namespace, protection, deadlineMs: 10_000, logger: SILENT_LOG });
  const reportsDir = await mkdtemp(join(tmpdir(), `saldo-reports-${randomUUID().slice(0, 8)}-`));
  const bundlePath = await buildWorkflowBundle(join(homedir(), ".cache", "saldo"));
  const startWorkers = () =>
    createSaldoWorkers({
      connection: link.connection,
      namespace: link.namespace,
      protection,
      taskQueues,
      bundlePath,
      activities: createActivities({
        db: database.db,
        ledger,
        psp,
        logger,
        reportsDir,
        codeVersion: "0.0.0-test",
        ...(webhooks === undefined ? {} : { webhooks }),
        ...(endedOrders === undefined ? {} : { tellOrderEnd: endedOrders.tell }),
        ...(placedHolds === undefined ? {} : { tellHold: placedHolds.tell }),
        openLane: (name, deadlineMs) => database.openLane(name, deadlineMs),
      }),
      cacheSize: workflowCacheSize(100),
    });
  let workers = await startWorkers();
  return {
    namespace,
    starters: createStarters({
      client: link.client,
      eager: true,
      deadlineMs: 60_000,
      ...(endedOrders === undefined ? {} : { endedOrders }),
      ...(placedHolds === undefined ? {} : { placedHolds }),
    }),
    client: link.client,
    stopWorkers: () => workers.stop(),
    async restartWorkers() {
      workers = await startWorkers();
    },
    async close() {
      await workers.stop();
      await link.close();
      await Promise.all([database.close(), ledger.close(), rm(reportsDir, { recursive: true, force: true })]);
    },
  };
}
