import { resolve } from "node:path";
import { sql } from "drizzle-orm";
import type { WorkflowPort } from "../../activities/activity-deps.ts";
import { createActivities } from "../../activities/index.ts";
import { createLogger, type Logger } from "../../src/adapters/logger.ts";
import { countPosts } from "../../src/adapters/metrics/counted-ledger.ts";
import { createMetrics, type Metrics } from "../../src/adapters/metrics/metrics.ts";
import { createPsp, type HttpPsp } from "../../src/adapters/psp/psp-http.ts";
import { createBalanceCache, type BalanceCache } from "../../src/adapters/redis/balance-cache.ts";
import { createOrderCache } from "../../src/adapters/redis/order-cache.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import { createTemporal, type TemporalLink } from "../../src/adapters/temporal.ts";
import { withinOrThrow } from "../../src/base/deadline.ts";
import type { Config } from "../../src/config.ts";
import type { TaskQueue } from "../../src/contract/task-queues.ts";
import { createStarters } from "../../src/starters/index.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { createSaldoWorkers, installRuntime, type SaldoWorkers } from "./create-worker.ts";
import { required } from "./required.ts";
import { createWebhookPort } from "./webhook-port.ts";
import { buildWorkflowBundle } from "./workflow-bundle.ts";

/** What a role has before it has Temporal. */
export interface StoreParts {
  readonly logger: Logger;
  readonly databaseUrl: string;
  readonly database: Database;
  readonly ledger: Ledger;
  readonly redis: RedisLink;
  readonly balanceCache: BalanceCache;
  readonly psp: HttpPsp;
  /** What the process counts about itself; operations put to `ledger` are counted. */
  readonly metrics: Metrics;
  /** Runs workflows and activities of these queues on that connection. */
  startWorkers(temporal: TemporalLink, taskQueues: readonly TaskQueue[]): Promise<SaldoWorkers>;
  close(): Promise<void>;
}

/** What a role that runs workflows is made of. */
export interface RoleParts extends Omit<StoreParts, "startWorkers"> {
  readonly temporal: TemporalLink;
  /** Runs workflows and activities of these queues on the role's own connection. */
  startWorkers(taskQueues: readonly TaskQueue[]): Promise<SaldoWorkers>;
}

/** Servers of the same `docker compose up` may come up in any order; longer than this and something is wrong. */
const TEMPORAL_PATIENCE_MS = 60_000;
const PROBE_DEADLINE_MS = 1_000;

/** Opens a role's connections but Temporal's. They are made with their first use. Throws: ConfigError. */
export function openStoreParts(config: Config, role: string): StoreParts {
  const logger = createLogger({ role, level: config.LOG_LEVEL, pretty: config.LOG_PRETTY });
  const databaseUrl = required(config.DATABASE_URL, "DATABASE_URL");
  const options = { url: databaseUrl, deadlineMs: config.DATABASE_DEADLINE_MS };
  installRuntime(logger);
  const database = createDatabase({ ...options, name: `saldo-${role}`, laneCount: config.READ_LANES });
  const metrics = createMetrics();
  const ledger = countPosts(createLedger({ ...options, name: `saldo-${role}-ledger`, laneCount: config.LEDGER_LANES }), metrics);
  const redis = openRedis({ url: config.REDIS_URL, logger });
  const balanceCache = createBalanceCache({ redis });
  const psp = createPsp({ url: config.PSP_URL, apiKey: config.PSP_API_KEY, timeoutMs: config.PSP_TIMEOUT_MS, logger });
  return {
    logger,
    databaseUrl,
    database,
    ledger,
    redis,
    balanceCache,
    psp,
    metrics,
    startWorkers: async (temporal, taskQueues) =>
      createSaldoWorkers({
        connection: temporal.connection,
        namespace: temporal.namespace,
        taskQueues,
        bundlePath: config.WORKFLOW_BUNDLE_PATH ?? (await buildWorkflowBundle(config.CACHE_DIR)),
        activities: createActivities({
          db: database.db,
          openLane: database.openLane,
          ledger,
          balanceCache,
          orderCache: createOrderCache(redis),
          psp,
          logger,
          workflows: workflowPort(temporal, config),
          webhooks: createWebhookPort(config),
          reportsDir: resolve(config.REPORTS_DIR ?? `${config.DATA_DIR}/reports`),
        }),
        cacheSize: config.WORKFLOW_CACHE_SIZE,
      }),
    async close() {
      redis.close();
      await Promise.allSettled([ledger.close(), database.close()]);
    },
  };
}

/** Opens a role's connections by the configuration. Throws: ConfigError, UNAVAILABLE when Temporal does not come up. */
export async function openRoleParts(config: Config, role: string): Promise<RoleParts> {
  const parts = openStoreParts(config, role);
  const temporal = await createTemporal({
    address: config.TEMPORAL_ADDRESS,
    namespace: config.TEMPORAL_NAMESPACE,
    deadlineMs: TEMPORAL_PATIENCE_MS,
    logger: parts.logger,
  });
  return {
    ...parts,
    temporal,
    startWorkers: (taskQueues) => parts.startWorkers(temporal, taskQueues),
    async close() {
      await parts.close();
      await temporal.close();
    },
  };
}

// A part that hangs is as good as away.
const probe = async (work: Promise<unknown>): Promise<void> => void (await withinOrThrow(work, PROBE_DEADLINE_MS));

/** What every role that runs workflows has to show: its own circuit breaker and lanes, and whether its servers answer. */
export function watchRole({ metrics, psp, database, temporal, redis }: RoleParts): void {
  metrics.watch({
    parts: {
      postgres: () => probe(database.db.execute(sql`select 1`)),
      temporal: () => probe(temporal.client.workflowService.getSystemInfo({})),
      ...(redis.enabled ? { redis: redis.ping } : {}),
    },
    lanes: { reads: database.load },
    breakers: { psp: psp.breakerState },
  });
}

// What a hold does not remember of its request is the configuration's.
function workflowPort({ client }: TemporalLink, config: Config): WorkflowPort {
  const starters = createStarters({ client, eager: false, deadlineMs: config.TEMPORAL_DEADLINE_MS });
  return {
    isOpen: (workflowId) => starters.isOpen(workflowId),
    restartOrder: (input) => starters.restartOrder(input),
    followSagaRefund: (payment) => starters.followSagaRefund(payment),
    startRefund: (input) => starters.startRefund({ ...input, fastRetries: config.COMPENSATION_FAST_RETRIES }),
    restartReservation: (input) => starters.restartReservation({ ...input, expiringMs: config.RESERVATION_EXPIRING_MS }),
  };
}
