import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { brokerList, createKafka, ensureTopics } from "../src/adapters/kafka/kafka.ts";
import { createLogger, type Logger } from "../src/adapters/logger.ts";
import { createMetrics } from "../src/adapters/metrics/metrics.ts";
import { openPayloadProtection } from "../src/adapters/payload-codec/payload-protection.ts";
import { messageOf } from "../src/base/errors.ts";
import { DEFAULT_KAFKA_BROKERS, loadRoleConfig, type Config } from "../src/config.ts";
import { kafkaSecurity } from "../src/config/server-variables.ts";
import { topicsOf } from "../src/contract/topics.ts";
import { createRelay, type Relay } from "../src/outbox/relay.ts";
import { createWebhookDispatcher, deliveriesOf } from "../src/outbox/webhooks.ts";
import { createWebhookStarter } from "../src/starters/webhooks.ts";
import { readOutboxBacklog, readWaitingItems } from "../src/store/outbox/outbox-backlog.ts";
import { createOutboxWake } from "../src/store/outbox/outbox-wake.ts";
import { countFailedAttempt, markPublished, readUnpublished } from "../src/store/outbox/outbox.ts";
import { createDatabase, type Db } from "../src/store/postgres/database.ts";
import { releaseLease, takeLease } from "../src/store/postgres/leases.ts";
import { insertDeliveries, listWaitingDeliveries, markDispatched } from "../src/store/webhooks/webhook-deliveries.ts";
import { listActiveWebhooks, type ActiveWebhook } from "../src/store/webhooks/webhooks.ts";
import { connectTemporalClient } from "./parts/configured-temporal.ts";
import { required } from "./parts/required.ts";
import { runRole } from "./parts/run-role.ts";
import { showMetrics } from "./parts/show-metrics.ts";

/** After a kill the next relay waits this long at most for the lease. */
const LEASE_TTL_MS = 15_000;
/** 1,000 messages of about 600 bytes stay below the broker's 1 MiB for each of four partitions. */
const BATCH_SIZE = 1_000;
const BACKOFF = { firstMs: 250, maxMs: 10_000 };
/** A woken relay gathers rows for so long: under load it reads twenty batches a second instead of one for each operation. */
const GATHER_MS = 50;
const WEBHOOK_POLL_MS = 1_000;
const WEBHOOK_MAX_PAUSE_MS = 30_000;

void runRole("relay", async ({ signal, ready }) => {
  const config = loadRoleConfig({});
  const logger = createLogger({ role: "relay", level: config.LOG_LEVEL, pretty: config.LOG_PRETTY });
  // Keys that cannot be used end a start, as in every other role.
  openPayloadProtection(config);
  const brokers = brokerList(config.KAFKA_BROKERS ?? DEFAULT_KAFKA_BROKERS);
  const databaseUrl = required(config.DATABASE_URL, "DATABASE_URL");
  const database = createDatabase({
    url: databaseUrl,
    name: "relay",
    laneCount: 2,
    deadlineMs: config.DATABASE_DEADLINE_MS,
  });
  const metrics = createMetrics();
  metrics.watch({
    outbox: () => readOutboxBacklog(database.db),
    waiting: () => readWaitingItems(database.db),
    lanes: { relay: database.load },
  });
  const metricsServer = await showMetrics(config, { metrics, logger });
  const kafka = createKafka({ brokers, security: kafkaSecurity(config), clientId: "saldo-relay", logger });
  const producer = kafka.createProducer();
  const lease = { name: "outbox-relay", holder: `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}` };

  await ensureTopics(brokers, topicsOf(config), logger, kafkaSecurity(config)).catch((error: unknown) =>
    logger.warn({ err: messageOf(error) }, "the topics could not be created yet"),
  );
  let relay: Relay | undefined;
  let webhooks: readonly ActiveWebhook[] = [];
  const wake = createOutboxWake({ url: databaseUrl, db: database.db, onRow: () => relay?.wakeUp() });
  relay = createRelay({
    takeLease: () => takeLease(database.db, { ...lease, ttlMs: LEASE_TTL_MS }),
    renewLeaseMs: LEASE_TTL_MS / 3,
    async readUnpublished(input) {
      const rows = await readUnpublished(database.db, input);
      // Once for all topics of a step, and after its rows: a webhook that was registered before an event was written gets it.
      if (rows.length > 0) webhooks = await listActiveWebhooks(database.db);
      return rows;
    },
    markPublished: (ids) => markPublished(database.db, ids),
    countFailedAttempt: (ids) => countFailedAttempt(database.db, ids),
    send: producer.send,
    async onPublished(events) {
      const deliveries = deliveriesOf(events, webhooks);
      if (deliveries.length > 0) await insertDeliveries(database.db, deliveries);
    },
    wake,
    batchSize: BATCH_SIZE,
    pollMs: config.OUTBOX_POLL_MS,
    gatherMs: GATHER_MS,
    backoff: BACKOFF,
    nowMs: () => performance.now(),
    log: logger,
  });
  ready();
  const dispatching = dispatchWebhooks({ config, db: database.db, logger, signal });
  await relay.run(signal);
  await dispatching;
  await wake.close();
  await releaseLease(database.db, lease).catch((error: unknown) =>
    logger.warn({ err: messageOf(error) }, "the lease could not be released; it expires by itself"),
  );
  await producer.close();
  await kafka.close();
  await metricsServer?.close();
  await database.close();
});

// Only the dispatch of webhooks waits for Temporal, whatever keeps it away: messages to Kafka leave without it.
async function dispatchWebhooks(input: { config: Config; db: Db; logger: Logger; signal: AbortSignal }): Promise<void> {
  const { config, db, logger, signal } = input;
  while (!signal.aborted) {
    const temporal = await connectTemporalClient(config).catch((error: unknown) => {
      logger.warn({ event: "temporal.away", reason: messageOf(error) }, "webhooks wait for Temporal");
    });
    if (temporal === undefined) {
      // What fails at once, such as keys that cannot be read, would leave this process no turn for anything else.
      await sleep(WEBHOOK_POLL_MS, undefined, { signal }).catch(() => {});
      continue;
    }
    const dispatcher = createWebhookDispatcher({
      listWaiting: (limit) => listWaitingDeliveries(db, limit),
      markDispatched: (deliveryIds) => markDispatched(db, deliveryIds),
      start: createWebhookStarter({ client: temporal.client, deadlineMs: config.TEMPORAL_DEADLINE_MS }),
      pollMs: WEBHOOK_POLL_MS,
      maxPauseMs: WEBHOOK_MAX_PAUSE_MS,
      log: logger,
    });
    await dispatcher.run(signal);
    await temporal.close();
  }
}
