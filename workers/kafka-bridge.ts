import { sql } from "drizzle-orm";
import { brokerList, createKafka, ensureTopics, type Kafka } from "../src/adapters/kafka.ts";
import type { KafkaConsumer } from "../src/adapters/kafka-consumer.ts";
import { loadConfig, type Config } from "../src/config.ts";
import { TASK_QUEUES } from "../src/contract/task-queues.ts";
import { deadLetterTopic, topicsOf } from "../src/contract/topics.ts";
import { messageOf } from "../src/errors.ts";
import { createIngest, type Ingest } from "../src/ingest/ingest.ts";
import { createWatchdog, progressOf, type Progress } from "../src/ingest/watchdog.ts";
import { runRole, untilAborted } from "../src/stack/role.ts";
import { createStarters } from "../src/starters.ts";
import { writeDeadLetters } from "../src/store/dead-letters.ts";
import { required } from "./required.ts";
import { openRoleParts, type RoleParts } from "./role-parts.ts";

/** A workflow's input counts against 256 KB; the rest is the envelope. */
const MAX_EVENT_BYTES = 240_000;
const PARTITIONS_AT_ONCE = 4;
/** How long a batch in hand may go on at the order to stop; the supervisor waits 15 s. */
const GRACE_MS = 8_000;
const BACKOFF = { firstMs: 250, maxMs: 5_000 };
const PROBE_DEADLINE_MS = 3_000;

await runRole("bridge", async ({ signal, ready }) => {
  const config = loadConfig();
  const brokers = brokerList(required(config.KAFKA_BROKERS, "KAFKA_BROKERS"));
  const parts = await openRoleParts(config, "bridge");
  const { logger } = parts;
  const workers = config.BRIDGE_HOSTS_WORKER ? await parts.startWorkers([TASK_QUEUES.orders]) : undefined;
  const kafka = createKafka({ brokers, clientId: "saldo-bridge", logger });
  const consumer = kafka.createConsumer({
    group: config.KAFKA_GROUP,
    topic: config.KAFKA_TOPIC,
    sessionTimeoutMs: config.KAFKA_SESSION_TIMEOUT_MS,
    partitionsAtOnce: PARTITIONS_AT_ONCE,
    graceMs: GRACE_MS,
  });
  const ingest = createBridgeIngest(config, parts);
  const broken = new AbortController();
  const fail = (error: Error) => broken.abort(error);
  const watchdog = createWatchdog({
    stallMs: config.BRIDGE_STALL_MS,
    readProgress: () => readProgress(config, kafka, consumer),
    knownOutage: async () => ingest.outage() ?? (await findOutage(parts)),
    onStall: (reason) => fail(new Error(reason)),
    log: logger,
    nowMs: () => performance.now(),
  });

  await ensureTopics(brokers, topicsOf(config), logger).catch((error: unknown) =>
    logger.warn({ err: messageOf(error) }, "the topics could not be made yet"),
  );
  const until = AbortSignal.any([signal, broken.signal]);
  const consuming = consumer.run(ingest.handle, (error) => fail(new Error(`the Kafka client gave up: ${messageOf(error)}`)));
  consuming.catch(fail);
  const watching = watchdog.run(until);
  workers?.finished.catch(fail);
  ready();
  await untilAborted(until);
  // A bridge that is broken ends at once: what it has in hand is done again by the next one.
  if (broken.signal.aborted) throw broken.signal.reason;

  logger.info({ topic: config.KAFKA_TOPIC }, "the bridge finishes what it has in hand");
  await consumer.stop();
  await watching;
  await kafka.close();
  await workers?.stop();
  await parts.close();
});

function createBridgeIngest(config: Config, parts: RoleParts): Ingest {
  const { client } = parts.temporal;
  return createIngest({
    starters: createStarters({ client, eager: config.BRIDGE_HOSTS_WORKER, deadlineMs: config.TEMPORAL_DEADLINE_MS }),
    writeDeadLetters: (letters) => writeDeadLetters(parts.database.db, { deadLetterTopic: deadLetterTopic(config.KAFKA_TOPIC), letters }),
    limits: { maxMessages: config.EVENT_BATCH_SIZE, maxBytes: MAX_EVENT_BYTES },
    backoff: BACKOFF,
    log: parts.logger,
  });
}

async function readProgress(config: Config, kafka: Kafka, consumer: KafkaConsumer): Promise<Progress> {
  const [offsets, committed] = await Promise.all([
    kafka.topicOffsets(config.KAFKA_TOPIC),
    kafka.committedOffsets(config.KAFKA_GROUP, config.KAFKA_TOPIC),
  ]);
  return progressOf({ assigned: consumer.assigned(), offsets, committed });
}

async function findOutage({ database, temporal }: RoleParts): Promise<string | undefined> {
  const { client } = temporal;
  const [postgres, server] = await Promise.allSettled([
    database.db.execute(sql`select 1`),
    client.withDeadline(Date.now() + PROBE_DEADLINE_MS, () => client.workflowService.getSystemInfo({})),
  ]);
  if (postgres.status === "rejected") return `Postgres: ${messageOf(postgres.reason)}`;
  return server.status === "rejected" ? `Temporal: ${messageOf(server.reason)}` : undefined;
}
