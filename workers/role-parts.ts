import { resolve } from "node:path";
import { createActivities, type Activities } from "../activities/index.ts";
import { createBalanceCache, type BalanceCache } from "../src/adapters/cache.ts";
import { createLogger, type Logger } from "../src/adapters/logger.ts";
import { createTemporal, type TemporalLink } from "../src/adapters/temporal.ts";
import type { Config } from "../src/config.ts";
import type { TaskQueue } from "../src/contract/task-queues.ts";
import { createDatabase, type Database } from "../src/store/database.ts";
import { createLedger, type Ledger } from "../src/store/ledger.ts";
import { createSaldoWorkers, installRuntime, type SaldoWorkers } from "./create-worker.ts";
import { required } from "./required.ts";
import { buildWorkflowBundle } from "./workflow-bundle.ts";

/** What a role that runs workflows is made of. */
export interface RoleParts {
  readonly logger: Logger;
  readonly database: Database;
  readonly ledger: Ledger;
  readonly balanceCache: BalanceCache;
  readonly temporal: TemporalLink;
  /** Runs workflows and activities of these queues on the role's own connection. */
  startWorkers(taskQueues: readonly TaskQueue[]): Promise<SaldoWorkers>;
  close(): Promise<void>;
}

/** Servers of the same `docker compose up` may come up in any order; longer than this and something is wrong. */
const TEMPORAL_PATIENCE_MS = 60_000;

/** Where the CSV files of reports are kept. */
export function reportsDirOf(config: Config): string {
  return resolve(config.REPORTS_DIR ?? `${config.DATA_DIR}/reports`);
}

/** Opens a role's connections by the configuration. Throws: ConfigError, UNAVAILABLE when Temporal does not come up. */
export async function openRoleParts(config: Config, role: string): Promise<RoleParts> {
  const logger = createLogger({ role, level: config.LOG_LEVEL, pretty: config.LOG_PRETTY });
  const url = required(config.DATABASE_URL, "DATABASE_URL");
  const deadlineMs = config.DATABASE_DEADLINE_MS;
  installRuntime(logger);
  const temporal = await createTemporal({
    address: config.TEMPORAL_ADDRESS,
    namespace: config.TEMPORAL_NAMESPACE,
    deadlineMs: TEMPORAL_PATIENCE_MS,
    logger,
  });
  const database = createDatabase({ url, name: `saldo-${role}`, laneCount: config.READ_LANES, deadlineMs });
  const ledger = createLedger({ url, name: `saldo-${role}-ledger`, laneCount: config.LEDGER_LANES, deadlineMs });
  const balanceCache = createBalanceCache({ url: config.REDIS_URL, logger });
  const activities: Activities = createActivities({
    db: database.db,
    openLane: database.openLane,
    ledger,
    balanceCache,
    logger,
    reportsDir: reportsDirOf(config),
  });
  return {
    logger,
    database,
    ledger,
    balanceCache,
    temporal,
    startWorkers: async (taskQueues) =>
      createSaldoWorkers({
        connection: temporal.connection,
        namespace: temporal.namespace,
        taskQueues,
        bundlePath: config.WORKFLOW_BUNDLE_PATH ?? (await buildWorkflowBundle(config.CACHE_DIR)),
        activities,
        cacheSize: config.WORKFLOW_CACHE_SIZE,
      }),
    async close() {
      await Promise.allSettled([ledger.close(), database.close(), balanceCache.close()]);
      await temporal.close();
    },
  };
}
