import { createLagReader } from "../src/adapters/kafka/kafka-lag.ts";
import { brokerList, createKafka } from "../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../src/adapters/log.ts";
import { createAnswerCache } from "../src/adapters/redis/answer-cache.ts";
import { createTemporalBreaker } from "../src/adapters/temporal/temporal-breaker.ts";
import type { TemporalLink } from "../src/adapters/temporal/temporal.ts";
import { createApp } from "../src/api/app.ts";
import { createAdmission } from "../src/api/http/admission.ts";
import { createClientAddresses } from "../src/api/http/client-address.ts";
import { listen } from "../src/api/http/http-server.ts";
import { createIdempotentAnswers } from "../src/api/http/idempotent-answers.ts";
import { createLoopDelay } from "../src/api/http/loop-delay.ts";
import { createRequestLimits } from "../src/api/http/middleware/rate-limit.ts";
import { untilAborted } from "../src/base/aborted.ts";
import { loadRoleConfig } from "../src/config.ts";
import { pspKindOf } from "../src/config/psp-settings.ts";
import { kafkaSecurity } from "../src/config/server-variables.ts";
import { TASK_QUEUES } from "../src/contract/task-queues.ts";
import { createDeferredStarters } from "../src/starters/deferred.ts";
import { createStarters } from "../src/starters/index.ts";
import { createAnswerBook } from "../src/store/idempotency-answers.ts";
import { createBalanceReader } from "../src/store/ledger/balance-reader.ts";
import { createOrderStamps } from "../src/store/orders/order-stamps.ts";
import { readOutboxBacklog, readWaitingItems } from "../src/store/outbox/outbox-backlog.ts";
import { createDatabase } from "../src/store/postgres/database.ts";
import { apiSettings } from "./parts/api-settings.ts";
import { connectUntilAborted } from "./parts/connect-temporal.ts";
import { createCorrectionCheck } from "./parts/correction-check.ts";
import { CHECK_DEADLINE_MS, dependencyChecks, untilAllAnswer } from "./parts/dependency-checks.ts";
import { httpsOf } from "./parts/https.ts";
import { incomingGroups } from "./parts/incoming-groups.ts";
import { openIdentity } from "./parts/open-identity.ts";
import { providerEventsOf } from "./parts/open-psp.ts";
import { requestQuotas } from "./parts/request-quotas.ts";
import { openStoreParts } from "./parts/role-parts.ts";
import { runRole } from "./parts/run-role.ts";

/** Somewhat less than a request may take. */
const AUDIT_DEADLINE_MS = 40_000;
/** Longer than a request may wait for its order by `Prefer`, shorter than the supervisor's patience. */
const CLOSE_GRACE_MS = 10_000;

void runRole("api", async ({ signal, ready }) => {
  const config = loadRoleConfig({ listens: true, pays: true });
  const parts = openStoreParts(config, "api");
  const { logger, database, databaseUrl, redis, psp, metrics } = parts;
  // A lane of its own, so that a readiness check never waits behind the requests of this process.
  const probe = createDatabase({ url: databaseUrl, name: "saldo-api-ready", laneCount: 1, deadlineMs: CHECK_DEADLINE_MS });
  // A lane of its own, because an audit reads every posting and holds its lane for long.
  const auditing = createDatabase({ url: databaseUrl, name: "saldo-api-audit", laneCount: 1, deadlineMs: AUDIT_DEADLINE_MS });
  const { authenticator, identity, close: closeIdentity } = await openIdentity({ config, databaseUrl, redis, log: logger });
  const brokers = brokerList(config.KAFKA_BROKERS ?? "");
  const kafka = createKafka({ brokers, security: kafkaSecurity(config), clientId: "saldo-api", logger: SILENT_LOG });
  const groups = config.KAFKA_BROKERS === undefined ? [] : incomingGroups(config);
  const readLag = createLagReader(kafka, groups, { deadlineMs: CHECK_DEADLINE_MS });

  const starters = createDeferredStarters();
  let temporal: TemporalLink | undefined;
  const breaker = createTemporalBreaker({ probeMs: config.TEMPORAL_DEADLINE_MS, log: logger });
  const checks = dependencyChecks({ config, db: probe.db, redis, temporal: () => temporal, kafka, readLag });
  const targetMs = config.OVERLOAD_TARGET_MS;
  const admission = targetMs === 0 ? undefined : createAdmission({ targetMs, onShed: metrics.shed, waitedMs: createLoopDelay() });
  metrics.watch({
    parts: Object.fromEntries(checks.map(({ name, check }) => [name, check])),
    outbox: () => readOutboxBacklog(probe.db),
    waiting: () => readWaitingItems(probe.db),
    lag: readLag,
    lanes: { reads: database.load },
    breakers: { psp: psp.breakerState, temporal: breaker.state },
    ...(admission === undefined ? {} : { newWork: admission.loads }),
  });

  const addresses = createClientAddresses(config.TRUSTED_PROXIES);
  const app = createApp({
    db: database.db,
    auditDb: auditing.db,
    ledger: parts.ledger,
    ...(pspKindOf(config) === undefined ? {} : { psp }),
    ...providerEventsOf(config),
    starters,
    balances: config.BALANCE_CACHE === "on" && redis.enabled ? parts.balanceCache.openReader(metrics) : createBalanceReader(database.db),
    checkCorrection: createCorrectionCheck(config, { db: database.db, starters }),
    authenticator,
    identity,
    limits: createRequestLimits({ limits: requestQuotas(config, redis), addresses, onRefused: metrics.rateLimited }),
    admission,
    firstAnswers: createIdempotentAnswers({ book: createAnswerBook(database.db), cache: createAnswerCache(redis), log: logger }),
    orderCache: parts.orderCache,
    orderStamps: createOrderStamps(database.db),
    metrics,
    log: logger,
    requestLog: logger.child({}, { redact: [], formatters: { log: (fields) => fields } }),
    checks,
    settings: apiSettings(config, addresses),
  });
  const https = httpsOf(config, logger);
  const servers = await Promise.all(
    [config.HTTP_PORT, config.PURCHASES_PORT].map((port) => listen(app, { host: config.HTTP_HOST, port, https })),
  );
  logger.info({ event: "api.listening", host: config.HTTP_HOST, ports: servers.map(({ port }) => port) }, "listening");

  // Connecting goes on beside the requests: requests that need no Temporal are served from the first moment.
  const connecting = connectUntilAborted(config, logger, signal).then(async (link) => {
    if (link === undefined) return undefined;
    const workers = config.API_HOSTS_WORKER ? await parts.startWorkers(link, [TASK_QUEUES.orders]) : undefined;
    const deadlineMs = config.TEMPORAL_DEADLINE_MS;
    const { endedOrders, placedHolds, payAtOnce } = parts;
    const committedHere = workers === undefined ? {} : { endedOrders, placedHolds, payAhead: payAtOnce.ahead };
    starters.attach(createStarters({ client: link.client, eager: config.API_HOSTS_WORKER, deadlineMs, breaker, ...committedHere }));
    // Not before the starters are attached: the api would be called ready while an order is still answered with 503.
    temporal = link;
    return workers;
  });
  void untilAllAnswer(checks, signal).then((isReady) => isReady && ready());

  const workers = await Promise.race([connecting, untilAborted(signal).then(() => undefined)]);
  await Promise.race([untilAborted(signal), workers === undefined ? untilAborted(signal) : workers.finished]);
  logger.info({ event: "api.stopping" }, "stopping");
  await Promise.all(servers.map((server) => server.close(CLOSE_GRACE_MS)));
  await (await connecting)?.stop();
  await temporal?.close();
  await Promise.all([parts.close(), closeIdentity(), kafka.close(), probe.close(), auditing.close()]);
});
