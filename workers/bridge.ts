import { brokerList, createKafka, ensureTopics, type Kafka } from "../src/adapters/kafka/kafka.ts";
import { untilAborted } from "../src/base/aborted.ts";
import { messageOf } from "../src/base/errors.ts";
import { DEFAULT_KAFKA_BROKERS, loadRoleConfig, type Config } from "../src/config.ts";
import { kafkaSecurity } from "../src/config/server-variables.ts";
import { TASK_QUEUES } from "../src/contract/task-queues.ts";
import { topicsOf } from "../src/contract/topics.ts";
import { createWatchdog, progressOf } from "../src/ingest/watchdog.ts";
import { createStarters } from "../src/starters/index.ts";
import { BRIDGE_LIMITS, bridgeLimits } from "./parts/bridge-limits.ts";
import { bridgeTopics, type BridgeTopic } from "./parts/bridge-topics.ts";
import { pingPostgres, pingTemporal } from "./parts/probes.ts";
import { openRoleParts, watchRole, type RoleParts } from "./parts/role-parts.ts";
import { runRole } from "./parts/run-role.ts";
import { showMetrics } from "./parts/show-metrics.ts";

const PROBE_DEADLINE_MS = 3_000;

void runRole("bridge", async ({ signal, ready }) => {
  const config = loadRoleConfig({ pays: true });
  const brokers = brokerList(config.KAFKA_BROKERS ?? DEFAULT_KAFKA_BROKERS);
  const parts = await openRoleParts(config, "bridge");
  const { logger } = parts;
  watchRole(parts);
  const metricsServer = await showMetrics(config, parts);
  const workers = config.BRIDGE_HOSTS_WORKER ? await parts.startWorkers([TASK_QUEUES.orders]) : undefined;
  const kafka = createKafka({ brokers, security: kafkaSecurity(config), clientId: "saldo-bridge", logger });
  const { client } = parts.temporal;
  const topics = bridgeTopics(config, {
    db: parts.database.db,
    starters: createStarters({ client, eager: config.BRIDGE_HOSTS_WORKER, deadlineMs: config.TEMPORAL_DEADLINE_MS }),
    // Where no workflow runs here, nobody would find the events on a shelf of this process.
    ...(config.BRIDGE_HOSTS_WORKER ? { shelf: parts.shelf } : {}),
    ingestion: {
      limits: bridgeLimits(config),
      backoff: BRIDGE_LIMITS.backoff,
      log: logger,
    },
  });
  const broken = new AbortController();
  const fail = (error: Error) => broken.abort(error);
  const until = AbortSignal.any([signal, broken.signal]);

  await ensureTopics(brokers, topicsOf(config), logger, kafkaSecurity(config)).catch((error: unknown) =>
    logger.warn({ err: messageOf(error) }, "the topics could not be created yet"),
  );
  const readers = topics.map((topic) => startReader({ config, parts, kafka, topic, until, fail }));
  workers?.finished.catch(fail);
  ready();
  await untilAborted(until);
  // A broken bridge ends at once: the next bridge does again what this one has in hand.
  if (broken.signal.aborted) throw broken.signal.reason;

  logger.info({ topics: topics.map(({ topic }) => topic) }, "the bridge finishes what it has in hand");
  await Promise.all(readers.map((reader) => reader.stop()));
  await kafka.close();
  await workers?.stop();
  await metricsServer?.close();
  await parts.close();
});

interface ReaderInput {
  readonly config: Config;
  readonly parts: RoleParts;
  readonly kafka: Kafka;
  readonly topic: BridgeTopic;
  readonly until: AbortSignal;
  readonly fail: (error: Error) => void;
}

/** Reads one topic in its own consumer group until it is stopped, so that a topic that has to wait holds up no other topic. */
function startReader({ config, parts, kafka, topic: { topic, group, ingest }, until, fail }: ReaderInput): { stop(): Promise<void> } {
  const consumer = kafka.createConsumer({
    group,
    topic,
    sessionTimeoutMs: config.KAFKA_SESSION_TIMEOUT_MS,
    partitionsAtOnce: BRIDGE_LIMITS.partitionsAtOnce,
    graceMs: BRIDGE_LIMITS.graceMs,
  });
  const watchdog = createWatchdog({
    stallMs: config.BRIDGE_STALL_MS,
    readProgress: async () => {
      const [offsets, committed] = await Promise.all([kafka.topicOffsets(topic), kafka.committedOffsets(group, topic)]);
      return progressOf({ assigned: consumer.assigned(), unreadable: consumer.unreadable(), offsets, committed });
    },
    knownOutage: async () => ingest.outage() ?? (await findOutage(parts)),
    onStall: (reason) => fail(new Error(`${topic}: ${reason}`)),
    log: parts.logger,
    nowMs: () => performance.now(),
  });
  consumer.run(ingest.handle, (error) => fail(new Error(`${topic}: the Kafka client gave up: ${messageOf(error)}`))).catch(fail);
  const watching = watchdog.run(until);
  return {
    async stop() {
      await consumer.stop();
      await watching;
    },
  };
}

/** Which server does not answer, and why; undefined when both answer. */
async function findOutage({ database, temporal }: RoleParts): Promise<string | undefined> {
  const [postgres, server] = await Promise.allSettled([pingPostgres(database.db), pingTemporal(temporal.client, PROBE_DEADLINE_MS)]);
  if (postgres.status === "rejected") return `Postgres: ${messageOf(postgres.reason)}`;
  return server.status === "rejected" ? `Temporal: ${messageOf(server.reason)}` : undefined;
}
