import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { createLagReader, type PartitionLag } from "../src/adapters/kafka/kafka-lag.ts";
import { brokerList, createKafka } from "../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../src/adapters/log.ts";
import type { Logger } from "../src/adapters/logger.ts";
import { hostAndPort, untilReachable } from "../src/adapters/reachable.ts";
import { createAnswerCache } from "../src/adapters/redis/answer-cache.ts";
import { createOrderCache } from "../src/adapters/redis/order-cache.ts";
import { createRateLimit } from "../src/adapters/redis/rate-limits.ts";
import type { RedisLink } from "../src/adapters/redis/redis.ts";
import { createTemporal, type TemporalLink } from "../src/adapters/temporal.ts";
import { createApp } from "../src/api/app.ts";
import type { DependencyCheck } from "../src/api/deps.ts";
import { createClientAddresses } from "../src/api/http/client-address.ts";
import { listen } from "../src/api/http/http-server.ts";
import { createIdempotentAnswers } from "../src/api/http/idempotent-answers.ts";
import { createRequestLimits, type RateLimits } from "../src/api/http/middleware/rate-limit.ts";
import { untilAborted } from "../src/base/aborted.ts";
import { withinOrThrow } from "../src/base/deadline.ts";
import { DomainError, messageOf } from "../src/base/errors.ts";
import { loadConfig, type Config } from "../src/config.ts";
import { TASK_QUEUES } from "../src/contract/task-queues.ts";
import { createDeferredStarters } from "../src/starters/deferred.ts";
import { createStarters } from "../src/starters/index.ts";
import { createAnswerBook } from "../src/store/idempotency-answers.ts";
import { createBalanceReader } from "../src/store/ledger/balance-reader.ts";
import { readOutboxBacklog, readWaitingItems } from "../src/store/outbox/outbox-backlog.ts";
import { createDatabase, type Db } from "../src/store/postgres/database.ts";
import { createCorrectionCheck, incomingGroups, orderSettings } from "./parts/bridge-topics.ts";
import { openIdentity } from "./parts/open-identity.ts";
import { openStoreParts } from "./parts/role-parts.ts";
import { runRole } from "./parts/run-role.ts";

/** Somewhat less than a request may take. */
const AUDIT_DEADLINE_MS = 40_000;
const CHECK_DEADLINE_MS = 1_000;
/** Short, so that an order to stop is not kept waiting by a Temporal that is not there. */
const CONNECT_DEADLINE_MS = 3_000;
const READY_POLL_MS = 100;
/** Longer than a request may wait for its order by `Prefer`, shorter than the supervisor's patience. */
const CLOSE_GRACE_MS = 10_000;

await runRole("api", async ({ signal, ready }) => {
  const config = loadConfig();
  const parts = openStoreParts(config, "api");
  const { logger, database, ledger, redis, psp, metrics } = parts;
  // A lane of its own, so that a readiness question never waits behind the requests it asks about.
  const probe = createDatabase({ url: parts.databaseUrl, name: "saldo-api-ready", laneCount: 1, deadlineMs: CHECK_DEADLINE_MS });
  // A lane of its own, as an audit reads everything and takes its time.
  const auditing = createDatabase({ url: parts.databaseUrl, name: "saldo-api-audit", laneCount: 1, deadlineMs: AUDIT_DEADLINE_MS });
  const {
    authenticator,
    identity,
    close: closeIdentity,
  } = await openIdentity({ config, databaseUrl: parts.databaseUrl, redis, log: logger });
  const addresses = createClientAddresses(config.TRUSTED_PROXIES);
  const starters = createDeferredStarters();
  let temporal: TemporalLink | undefined;

  const kafka = createKafka({ brokers: brokerList(config.KAFKA_BROKERS ?? ""), clientId: "saldo-api", logger: SILENT_LOG });
  const readLag = createLagReader(kafka, config.KAFKA_BROKERS === undefined ? [] : incomingGroups(config), {
    deadlineMs: CHECK_DEADLINE_MS,
  });
  const checks = dependencyChecks({ config, db: probe.db, redis, temporal: () => temporal, readLag });
  metrics.watch({
    parts: Object.fromEntries(checks.map(({ name, check }) => [name, check])),
    outbox: () => readOutboxBacklog(probe.db),
    waiting: () => readWaitingItems(probe.db),
    lag: readLag,
    lanes: { reads: database.load },
    breakers: { psp: psp.breakerState },
  });
  const app = createApp({
    db: database.db,
    auditDb: auditing.db,
    ledger,
    psp,
    starters,
    balances: createBalanceReader(database.db),
    checkCorrection: createCorrectionCheck(config, { db: database.db, starters }),
    authenticator,
    identity,
    limits: createRequestLimits({ limits: rateLimitsOf(config, redis), addresses, onRefused: metrics.rateLimited }),
    firstAnswers: createIdempotentAnswers({ book: createAnswerBook(database.db), cache: createAnswerCache(redis), log: logger }),
    orderCache: createOrderCache(redis),
    metrics,
    log: logger,
    requestLog: logger.child({}, { redact: [] }),
    checks,
    settings: {
      version: ownVersion(),
      defaultCurrency: config.DEFAULT_CURRENCY,
      reportTimeZone: config.REPORT_TZ,
      maxBodyBytes: config.MAX_BODY_BYTES,
      corsOrigins: config.CORS_ORIGINS,
      isSecure: addresses.isSecure,
      onlyLocalHosts: config.AUTH_MODE === "off",
      streams: { perSubject: config.STREAMS_PER_USER, inAll: config.STREAMS_IN_ALL },
      ...(config.METRICS_TOKEN === undefined ? {} : { metricsToken: config.METRICS_TOKEN }),
      ...(config.SERVER_URL === undefined ? {} : { serverUrl: config.SERVER_URL }),
      reservationTtl: {
        defaultMs: config.RESERVATION_TTL_MS,
        minMs: config.RESERVATION_TTL_MIN_MS,
        maxMs: config.RESERVATION_TTL_MAX_MS,
        expiringMs: config.RESERVATION_EXPIRING_MS,
        graceMs: config.RESERVATION_GRACE_MS,
      },
      orders: orderSettings(config),
      testClock: config.NODE_ENV !== "production",
      eventTopics: incomingGroups(config).map(({ topic }) => topic),
      webhooks: {
        allowHttp: config.WEBHOOK_ALLOW_HTTP,
        allowPrivate: config.WEBHOOK_ALLOW_PRIVATE,
        ...(config.WEBHOOK_ENCRYPTION_SECRET === undefined
          ? {}
          : { encryptionKey: Buffer.from(config.WEBHOOK_ENCRYPTION_SECRET, "base64") }),
      },
    },
  });
  const servers = await Promise.all([config.HTTP_PORT, config.PURCHASES_PORT].map((port) => listen(app, { host: config.HTTP_HOST, port })));
  logger.info({ event: "api.listening", host: config.HTTP_HOST, ports: servers.map(({ port }) => port) }, "listening");

  // Connecting goes on beside the requests: those that need no Temporal are served from the first moment.
  const connecting = connectTemporal({ config, logger, signal }).then(async (link) => {
    if (link === undefined) return undefined;
    const workers = config.API_HOSTS_WORKER ? await parts.startWorkers(link, [TASK_QUEUES.orders]) : undefined;
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
  await Promise.all([parts.close(), closeIdentity(), kafka.close(), probe.close(), auditing.close()]);
});

async function connectTemporal(input: { config: Config; logger: Logger; signal: AbortSignal }): Promise<TemporalLink | undefined> {
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

/** By topic and partition, in messages. */
function lagInWords(lags: readonly PartitionLag[]): Record<string, string> {
  return Object.fromEntries(lags.map(({ topic, partition, lag }) => [`lag ${topic}/${partition}`, lag.toString()]));
}

interface Checked {
  readonly config: Config;
  readonly db: Db;
  readonly redis: RedisLink;
  readonly temporal: () => TemporalLink | undefined;
  readonly readLag: () => Promise<readonly PartitionLag[]>;
}

function dependencyChecks({ config, db, redis, temporal, readLag }: Checked): DependencyCheck[] {
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
        // The native connection's own deadline is not kept when nobody answers.
        await withinOrThrow(
          link.client.withDeadline(Date.now() + CHECK_DEADLINE_MS, () => link.client.workflowService.getSystemInfo({})),
          CHECK_DEADLINE_MS,
        );
      },
    },
    // By its own word: one that hangs still takes connections.
    ...(redis.enabled ? [{ name: "redis", needed: false, check: redis.ping }] : []),
    ...reachable("kafka", config.KAFKA_BROKERS?.split(",")[0]).map(({ name, needed, check }) => ({
      name,
      needed,
      check,
      details: async () => lagInWords(await readLag()),
    })),
  ];
}

function rateLimitsOf(config: Config, redis: RedisLink): RateLimits {
  const limit = (prefix: string, quota: number) => createRateLimit({ redis, prefix, quota, windowMs: config.RATE_LIMIT_WINDOW_MS });
  return {
    address: limit("rate", config.RATE_LIMIT_PER_MINUTE),
    subject: limit("rate:user", config.RATE_LIMIT_PER_USER),
    login: limit("rate:login", config.RATE_LIMIT_LOGIN),
  };
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
