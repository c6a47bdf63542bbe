import { tmpdir } from "node:os";
import type { Client } from "@temporalio/client";
import { DefaultLogger, Runtime } from "@temporalio/worker";
import { inject } from "vitest";
import { createActivities } from "../../activities/index.ts";
import { createPayAtOnce } from "../../activities/orders/pay-at-once.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import { createTemporal } from "../../src/adapters/temporal/temporal.ts";
import { DomainError } from "../../src/base/errors.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createStarters, type Starters } from "../../src/starters/index.ts";
import { readBalances, type BalanceRecord } from "../../src/store/ledger/balances.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { openBalanceCache } from "../../workers/parts/balance-cache-parts.ts";
import { createSaldoWorkers } from "../../workers/parts/create-worker.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import { createFakePsp, type FakePsp } from "./fake-psp.ts";
import { createTestDatabase } from "./test-database.ts";
import { makeTestNamespace } from "./test-namespace.ts";
import { workflowCacheSize } from "./workflow-cache.ts";

/** Real workflows on a namespace of their own over a database of their own, as one role runs them. */
export interface SagaBench {
  /** The database's address as the superuser. */
  readonly adminUrl: string;
  readonly appUrl: string;
  readonly client: Client;
  readonly starters: Starters;
  readonly database: Database;
  readonly ledger: Ledger;
  readonly psp: FakePsp;
  /** While true, captures do not reach Postgres. */
  loseCaptures: boolean;
  /** Runs of workflows whose captures no longer reach Postgres: the steps of a terminated run may be retried until its worker knows of its end. */
  readonly lostRuns: Set<string>;
  startWorker(): Promise<void>;
  stopWorker(): Promise<void>;
  fund(userId: string, amountMinor: bigint): Promise<void>;
  balanceOf(userId: string): Promise<BalanceRecord | undefined>;
  close(): Promise<void>;
}

/** Opens the bench and starts its worker. Without `redisUrl` it has no cache; without `temporalAddress` it uses the Temporal of all tests. */
export async function openSagaBench(options: {
  readonly redisUrl: string | undefined;
  readonly temporalAddress?: string;
}): Promise<SagaBench> {
  quietRuntime();
  const testDatabase = await createTestDatabase();
  const url = testDatabase.appUrl;
  const database = createDatabase({ url, name: "saga-bench", laneCount: 4, deadlineMs: 10_000 });
  const ledger = createLedger({ url, name: "saga-bench", laneCount: 2, deadlineMs: 10_000 });
  const redis = openRedis({ url: options.redisUrl, logger: SILENT_LOG });
  const cache = openBalanceCache({ database, redis, logger: SILENT_LOG, deadlineMs: 10_000 });
  const address = options.temporalAddress ?? inject("temporalAddress");
  const namespace = await makeTestNamespace(address);
  const link = await createTemporal({ address, namespace, deadlineMs: 10_000, logger: SILENT_LOG });
  const psp = createFakePsp();
  const bundlePath = await buildWorkflowBundle(inject("cacheDir"));
  const post: Ledger["post"] = async (operation) => {
    const isLost = bench.loseCaptures || bench.lostRuns.has(operation.origin.runId ?? "");
    if (isLost && operation.kind === "capture") throw new DomainError("UNAVAILABLE", "lost by the test");
    return ledger.post(operation);
  };
  // A pair with a lost capture is lost as a whole, as a statement is.
  const postPair: Ledger["postPair"] = async (pair) => {
    const isLost = bench.loseCaptures || bench.lostRuns.has(pair[0].origin.runId ?? "");
    if (isLost) throw new DomainError("UNAVAILABLE", "lost by the test");
    return ledger.postPair(pair);
  };
  const marked = cache.marked({ ...ledger, post, postPair });
  const payAtOnce = createPayAtOnce({ db: database.db, ledger: marked });
  let workers: Awaited<ReturnType<typeof createSaldoWorkers>> | undefined;

  const bench: SagaBench = {
    adminUrl: testDatabase.adminUrl,
    appUrl: url,
    client: link.client,
    starters: createStarters({ client: link.client, eager: true, deadlineMs: 60_000, payAhead: payAtOnce.ahead }),
    database,
    ledger,
    psp,
    loseCaptures: false,
    lostRuns: new Set(),
    async startWorker() {
      workers = await createSaldoWorkers({
        connection: link.connection,
        namespace,
        taskQueues: Object.values(TASK_QUEUES),
        bundlePath,
        activities: createActivities({
          db: database.db,
          ledger: marked,
          payAtOnce,
          psp,
          workflows: bench.starters,
          compareCachedBalances: cache.compare,
          logger: SILENT_LOG,
          reportsDir: tmpdir(),
          openLane: database.openLane,
        }),
        cacheSize: workflowCacheSize(200),
      });
    },
    async stopWorker() {
      await workers?.stop();
      workers = undefined;
    },
    async fund(userId, amountMinor) {
      const origin = { caller: "test", correlationId: "test" };
      await ledger.post(depositOperation({ key: `fund-${userId}`, userId, currency: "RUB", amountMinor, comment: "test", origin }));
    },
    balanceOf: async (userId) => (await readBalances(database.db, [{ userId, currency: "RUB" }]))[0],
    async close() {
      await bench.stopWorker();
      await link.close();
      redis.close();
      await Promise.all([ledger.close(), database.close(), cache.close()]);
      await testDatabase.drop();
    },
  };
  await bench.startWorker();
  return bench;
}

let runtimeInstalled = false;

// A process has one runtime of Temporal, whose log would bury the test's output.
function quietRuntime(): void {
  if (!runtimeInstalled) Runtime.install({ shutdownSignals: [], logger: new DefaultLogger("ERROR") });
  runtimeInstalled = true;
}
