import { resolve } from "node:path";
import type { PayAtOnce } from "../../activities/activity-deps.ts";
import { createActivities } from "../../activities/index.ts";
import { createPayAtOnce } from "../../activities/orders/pay-at-once.ts";
import { createLogger, type Logger } from "../../src/adapters/logger.ts";
import { countPosts } from "../../src/adapters/metrics/counted-ledger.ts";
import { createMetrics, type Metrics } from "../../src/adapters/metrics/metrics.ts";
import type { HttpPsp } from "../../src/adapters/psp/psp-http.ts";
import { createOrderCache, type OrderCache } from "../../src/adapters/redis/order-cache.ts";
import { ownRedis } from "../../src/adapters/redis/own-redis.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import type { TemporalLink } from "../../src/adapters/temporal/temporal.ts";
import { withinOrThrow } from "../../src/base/deadline.ts";
import type { Config } from "../../src/config.ts";
import type { TaskQueue } from "../../src/contract/task-queues.ts";
import type { EventShelf } from "../../src/ingest/event-shelf.ts";
import { createEndedOrders, type EndedOrders } from "../../src/starters/ended-orders.ts";
import type { PlacedHolds } from "../../src/starters/placed-holds.ts";
import { createWaits } from "../../src/starters/waits.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { markOfDatabase } from "../../src/store/postgres/deployment.ts";
import { openBalanceCache, type BalanceCacheParts } from "./balance-cache-parts.ts";
import { connectTemporal } from "./connect-temporal.ts";
import { createSaldoWorkers, installRuntime, type SaldoWorkers } from "./create-worker.ts";
import { openEventParts } from "./event-finder.ts";
import { openPsp } from "./open-psp.ts";
import { codeVersion } from "./own-version.ts";
import { pingPostgres, pingTemporal } from "./probes.ts";
import { required } from "./required.ts";
import { createWebhookPort } from "./webhook-port.ts";
import { buildWorkflowBundle } from "./workflow-bundle.ts";
import { createWorkflowPort } from "./workflow-port.ts";

/** The parts of a role except its connection to Temporal. */
export interface StoreParts {
  readonly logger: Logger;
  readonly databaseUrl: string;
  readonly database: Database;
  /** Each operation that is posted to it is counted in `metrics`, and no cached balance outlives it. */
  readonly ledger: Ledger;
  readonly redis: RedisLink;
  readonly balanceCache: BalanceCacheParts;
  readonly orderCache: OrderCache;
  readonly psp: HttpPsp;
  /** The metrics of this process. */
  readonly metrics: Metrics;
  /** The events that a bridge of this process has in hand: its workers find them there. */
  readonly shelf: EventShelf;
  /** The orders whose end the workers of this process commit. */
  readonly endedOrders: EndedOrders;
  /** The holds that the workers of this process place. */
  readonly placedHolds: PlacedHolds;
  readonly payAtOnce: PayAtOnce;
  /** Runs workflows and activities of these queues on that connection. */
  startWorkers(temporal: TemporalLink, taskQueues: readonly TaskQueue[]): Promise<SaldoWorkers>;
  close(): Promise<void>;
}

/** The parts of a role that runs workflows. */
export interface RoleParts extends Omit<StoreParts, "startWorkers"> {
  readonly temporal: TemporalLink;
  /** Runs workflows and activities of these queues on the role's own connection. */
  startWorkers(taskQueues: readonly TaskQueue[]): Promise<SaldoWorkers>;
}

/** The servers of one `docker compose up` come up in any order. Temporal takes less than this, unless something is wrong. */
const TEMPORAL_PATIENCE_MS = 60_000;
const PROBE_DEADLINE_MS = 1_000;

/** Opens a role's connections except Temporal's. Each is made with its first use. Throws: ConfigError. */
export function openStoreParts(config: Config, role: string): StoreParts {
  const logger = createLogger({ role, level: config.LOG_LEVEL, pretty: config.LOG_PRETTY });
  const databaseUrl = required(config.DATABASE_URL, "DATABASE_URL");
  const options = { url: databaseUrl, deadlineMs: config.DATABASE_DEADLINE_MS };
  installRuntime(logger);
  const database = createDatabase({ ...options, name: `saldo/${role}`, laneCount: config.READ_LANES });
  const metrics = createMetrics();
  const plainLedger = countPosts(createLedger({ ...options, name: `saldo/${role}/ledger`, laneCount: config.LEDGER_LANES }), metrics);
  const redis = ownRedis(openRedis({ url: config.REDIS_URL, logger }), { readMark: () => markOfDatabase(database.db), logger });
  const balanceCache = openBalanceCache({ database, redis, logger, deadlineMs: config.DATABASE_DEADLINE_MS });
  const ledger = balanceCache.marked(plainLedger);
  const orderCache = createOrderCache(redis);
  const events = openEventParts(config, role, { db: database.db, logger });
  const psp = openPsp(config, { db: database.db, logger });
  const endedOrders = createEndedOrders();
  const placedHolds: PlacedHolds = createWaits();
  const payAtOnce = createPayAtOnce({ db: database.db, ledger, tellOrderEnd: endedOrders.tell });
  return {
    logger,
    databaseUrl,
    database,
    endedOrders,
    placedHolds,
    payAtOnce,
    ledger,
    redis,
    balanceCache,
    orderCache,
    psp,
    metrics,
    shelf: events.shelf,
    async startWorkers(temporal, taskQueues) {
      const bundlePath = config.WORKFLOW_BUNDLE_PATH ?? (await buildWorkflowBundle(config.CACHE_DIR));
      return createSaldoWorkers({
        connection: temporal.connection,
        namespace: temporal.namespace,
        protection: temporal.protection,
        taskQueues,
        bundlePath,
        activities: createActivities({
          db: database.db,
          openLane: database.openLane,
          ledger,
          compareCachedBalances: balanceCache.compare,
          orderCache,
          psp,
          logger,
          tellOrderEnd: endedOrders.tell,
          tellHold: placedHolds.tell,
          payAtOnce,
          workflows: createWorkflowPort(temporal, config),
          eventsAt: events.eventsAt,
          webhooks: createWebhookPort(config),
          reportsDir: resolve(config.REPORTS_DIR ?? `${config.DATA_DIR}/reports`),
          codeVersion: codeVersion(bundlePath),
        }),
        cacheSize: config.WORKFLOW_CACHE_SIZE,
      });
    },
    async close() {
      redis.close();
      await Promise.allSettled([balanceCache.close(), ledger.close(), database.close(), events.close()]);
    },
  };
}

/** Opens a role's connections by the configuration. Throws: ConfigError, UNAVAILABLE when Temporal does not come up. */
export async function openRoleParts(config: Config, role: string): Promise<RoleParts> {
  const parts = openStoreParts(config, role);
  const temporal = await connectTemporal(config, parts.logger, TEMPORAL_PATIENCE_MS);
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

/** Shows in the metrics of a role that runs workflows: its circuit breaker, its lanes, and whether its servers answer. */
export function watchRole({ metrics, psp, database, temporal, redis }: RoleParts): void {
  metrics.watch({
    parts: {
      postgres: () => withinOrThrow(pingPostgres(database.db), PROBE_DEADLINE_MS),
      temporal: () => pingTemporal(temporal.client, PROBE_DEADLINE_MS),
      ...(redis.enabled ? { redis: redis.ping } : {}),
    },
    lanes: { reads: database.load },
    breakers: { psp: psp.breakerState },
  });
}
