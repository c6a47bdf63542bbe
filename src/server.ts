import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { createActivities } from "../activities/index.ts";
import { createSaldoWorkers, installRuntime } from "../workers/create-worker.ts";
import { required } from "../workers/required.ts";
import { reportsDirOf } from "../workers/role-parts.ts";
import { buildWorkflowBundle } from "../workers/workflow-bundle.ts";
import { createBalanceCache } from "./adapters/cache.ts";
import { createLogger } from "./adapters/logger.ts";
import { hostAndPort, untilReachable } from "./adapters/reachable.ts";
import { createTemporal, type TemporalLink } from "./adapters/temporal.ts";
import { createApp } from "./api/app.ts";
import type { DependencyCheck } from "./api/api-env.ts";
import { listen } from "./api/http-server.ts";
import { loadConfig, type Config } from "./config.ts";
import { LOCAL_PRINCIPAL } from "./contract/identity.ts";
import { TASK_QUEUES } from "./contract/task-queues.ts";
import { createDeferredStarters } from "./deferred-starters.ts";
import { DomainError, messageOf } from "./errors.ts";
import { runRole, untilAborted } from "./stack/role.ts";
import { createStarters } from "./starters.ts";
import { createBalanceReader } from "./store/balance-reader.ts";
import { createDatabase, type Db } from "./store/database.ts";
import { createLedger } from "./store/ledger.ts";

const CHECK_DEADLINE_MS = 1_000;
/** Short, so that an order to stop is not kept waiting by a Temporal that is not there. */
const CONNECT_DEADLINE_MS = 3_000;
const READY_POLL_MS = 100;
/** Longer than a request may wait for its order by `Prefer`, shorter than the supervisor's patience. */
const CLOSE_GRACE_MS = 10_000;

await runRole("api", async ({ signal, ready }) => {
  const config = loadConfig();
  const logger = createLogger({ role: "api", level: config.LOG_LEVEL, pretty: config.LOG_PRETTY });
  installRuntime(logger);
  const url = required(config.DATABASE_URL, "DATABASE_URL");
  const deadlineMs = config.DATABASE_DEADLINE_MS;
  const database = createDatabase({ url, name: "saldo-api", laneCount: config.READ_LANES, deadlineMs });
  // A lane of its own, so that a readiness question never waits behind the requests it asks about.
  const probe = createDatabase({ url, name: "saldo-api-ready", laneCount: 1, deadlineMs: CHECK_DEADLINE_MS });
  const ledger = createLedger({ url, name: "saldo-api-ledger", laneCount: config.LEDGER_LANES, deadlineMs });
  const balanceCache = createBalanceCache({ url: config.REDIS_URL, logger });
  const starters = createDeferredStarters();
  let temporal: TemporalLink | undefined;

  const checks = dependencyChecks(config, probe.db, () => temporal);
  const app = createApp({
    db: database.db,
    ledger,
    starters,
    balances: createBalanceReader(database.db),
    authenticator: { authenticate: async () => LOCAL_PRINCIPAL },
    limits: { byAddress: async () => {}, bySubject: async () => {} },
    log: logger,
    requestLog: logger.child({}, { redact: [] }),
    checks,
    settings: {
      version: ownVersion(),
      defaultCurrency: config.DEFAULT_CURRENCY,
      reportTimeZone: config.REPORT_TZ,
      maxBodyBytes: config.MAX_BODY_BYTES,
      reservationTtl: { defaultMs: config.RESERVATION_TTL_MS, minMs: config.RESERVATION_TTL_MIN_MS, maxMs: config.RESERVATION_TTL_MAX_MS },
    },
  });
  const servers = await Promise.all([config.HTTP_PORT, config.PURCHASES_PORT].map((port) => listen(app, { host: config.HTTP_HOST, port })));
  logger.info({ event: "api.listening", host: config.HTTP_HOST, ports: servers.map(({ port }) => port) }, "listening");

  // Connecting goes on beside the requests: those that need no Temporal are served from the first moment.
  const connecting = connectTemporal({ config, logger, signal }).then(async (link) => {
    if (link === undefined) return undefined;
    const workers = config.API_HOSTS_WORKER
      ? await createSaldoWorkers({
          connection: link.connection,
          namespace: link.namespace,
          taskQueues: [TASK_QUEUES.orders],
          bundlePath: config.WORKFLOW_BUNDLE_PATH ?? (await buildWorkflowBundle(config.CACHE_DIR)),
          activities: createActivities({
            db: database.db,
            ledger,
            balanceCache,
            logger,
            reportsDir: reportsDirOf(config),
            openLane: database.openLane,
          }),
          cacheSize: config.WORKFLOW_CACHE_SIZE,
        })
      : undefined;
    starters.attach(createStarters({ client: link.client, eager: config.API_HOSTS_WORKER, deadlineMs: config.TEMPORAL_DEADLINE_MS }));
    // Only now, so that the api is not called ready while an order would still be answered with 503.
    temporal = link;
    return workers;
  });
  void announceReady(checks, signal).then((isReady) => isReady && ready());

  const workers = await Promise.race([connecting, untilAborted(signal).then(() => undefined)]);
  await Promise.race([untilAborted(signal), workers === undefined ? untilAborted(signal) : workers.finished]);
  logger.info({ event: "api.stopping" }, "stopping");
  await Promise.all(servers.map((server) => server.close(CLOSE_GRACE_MS)));
  await (await connecting)?.stop();
  await temporal?.close();
  await Promise.all([balanceCache.close(), ledger.close(), database.close(), probe.close()]);
});

async function connectTemporal(input: {
  config: Config;
  logger: ReturnType<typeof createLogger>;
  signal: AbortSignal;
}): Promise<TemporalLink | undefined> {
  const { config, logger, signal } = input;
  while (!signal.aborted) {
    try {
      return await createTemporal({
        address: config.TEMPORAL_ADDRESS,
        namespace: config.TEMPORAL_NAMESPACE,
        deadlineMs: CONNECT_DEADLINE_MS,
        logger,
      });
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      logger.warn({ event: "temporal.away", reason: messageOf(error) }, "Temporal is not there yet");
    }
  }
  return undefined;
}

async function announceReady(checks: readonly DependencyCheck[], signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const answers = await Promise.allSettled(checks.filter(({ needed }) => needed).map(({ check }) => check()));
    if (answers.every(({ status }) => status === "fulfilled")) return true;
    await sleep(READY_POLL_MS);
  }
  return false;
}

function dependencyChecks(config: Config, db: Db, temporal: () => TemporalLink | undefined): DependencyCheck[] {
  const reachable = (name: string, address: string | undefined): DependencyCheck[] =>
    address === undefined ? [] : [{ name, needed: false, check: () => untilReachable(hostAndPort(address), CHECK_DEADLINE_MS) }];
  return [
    { name: "postgres", needed: true, check: async () => void (await db.execute(sql`select 1`)) },
    {
      name: "temporal",
      needed: true,
      check: async () => {
        const link = temporal();
        if (link === undefined) throw new DomainError("UNAVAILABLE", "not connected yet");
        await link.client.withDeadline(Date.now() + CHECK_DEADLINE_MS, () => link.client.workflowService.getSystemInfo({}));
      },
    },
    ...reachable("redis", config.REDIS_URL),
    ...reachable("kafka", config.KAFKA_BROKERS?.split(",")[0]),
  ];
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
