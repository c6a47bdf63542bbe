import { setTimeout as sleep } from "node:timers/promises";
import { Kafka as KafkaClient, logLevel, type Admin, type KafkaConfig } from "kafkajs";
import { DomainError } from "../../base/errors.ts";
import type { KafkaSecurity } from "../../config/server-variables.ts";
import type { TopicIncarnation } from "../../contract/topic-incarnations.ts";
import type { TopicPlan } from "../../contract/topics.ts";
import { SILENT_LOG, type Log } from "../log.ts";
import { replaceChecksum } from "./kafka-checksum.ts";
import { createConsumer, type ConsumerOptions, type KafkaConsumer } from "./kafka-consumer.ts";
import { mendFetching } from "./kafka-fetch.ts";
import { stopIdleTimers } from "./kafka-idle-timer.ts";
import { createIncarnationReader } from "./kafka-incarnations.ts";
import { adminOfEnds } from "./kafka-internals.ts";
import { writeClientLog } from "./kafka-log.ts";
import type { FetchedMessage } from "./kafka-message.ts";
import { readNote, type GroupPlace } from "./kafka-note.ts";
import { fetchOffsetsAndEnds, fetchTopicOffsets, type PartitionOffsets } from "./kafka-offsets.ts";
import { createPartitioner } from "./kafka-partitioner.ts";
import { readRange, type MessageRange } from "./kafka-range.ts";
import { replaceRecordWriting } from "./kafka-record-writing.ts";
import { kafkaConnection, type KafkaServers } from "./kafka-security.ts";

/** A message to send. A key of null spreads messages over the partitions; equal keys keep their order. */
export interface OutgoingMessage {
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where a run of messages came to stand: `baseOffset` is the first one's, the others follow without a gap. */
export interface ProducedRange {
  readonly partition: number;
  readonly baseOffset: bigint;
}

export interface KafkaProducer {
  /**
   * Sends messages of one topic in their order and settles when every in-sync replica has them.
   * Not idempotent: what is sent again after an error may stand twice.
   * Throws: the client's error when the broker cannot be reached or refuses; some of the messages may then be there.
   */
  send(topic: string, messages: readonly OutgoingMessage[]): Promise<ProducedRange[]>;
  close(): Promise<void>;
}

/** One connection's view of Kafka. Everything it makes is closed by its own `close`. */
export interface Kafka {
  /** Connects with the first message, and again after a loss. */
  createProducer(): KafkaProducer;
  createConsumer(options: ConsumerOptions): KafkaConsumer;
  /** The offsets of a topic's partitions, in the order of the partitions. Throws: the client's error. */
  topicOffsets(topic: string): Promise<PartitionOffsets[]>;
  /** Which topic of that name stands there; undefined when there is none. Throws: the client's error. */
  topicIncarnation(topic: string): Promise<TopicIncarnation | undefined>;
  /** What a group has committed, by partition; a partition without a commit is left out. Throws: the client's error. */
  committedOffsets(group: string, topic: string): Promise<Map<number, bigint>>;
  /** The same, with what the group has noted of each partition. Throws: the client's error. */
  groupPlaces(group: string, topic: string): Promise<Map<number, GroupPlace>>;
  /** The messages of a range that was read before; "removed" when it is not there any more. Throws: the client's error, Error when it cannot be read. */
  readRange(range: MessageRange): Promise<readonly FetchedMessage[] | "removed">;
  /** Settles when a broker answers and lets this client in. Throws: UNAVAILABLE with the reason, when it refuses the login; the client's error. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface KafkaOptions extends KafkaServers {
  readonly clientId: string;
  readonly logger: Log;
}

/**
 * A reader waits about a minute for a broker that is away, and asks every second: the broker knows its members again when it is back.
 * A reader that gave up and began anew would wait for the session of its former self to end, 10 s longer.
 */
const READER_RETRY = { retries: 60, initialRetryTime: 200, maxRetryTime: 1_000 };
const ADMIN = { retry: { retries: 3, initialRetryTime: 200 } };
/** A broker that does not answer is not waited for at the end. */
const CLOSE_WITHIN_MS = 2_000;
/** The client exports its errors in a way that Node does not find by their names. */
const LOGIN_REFUSED = "KafkaJSSASLAuthenticationError";
const LEADERS_WITHIN_MS = 15_000;
const LEADERS_POLL_MS = 100;

/** `host:port,host:port` as a list. */
export function brokerList(text: string): string[] {
  return text
    .split(",")
    .map((broker) => broker.trim())
    .filter((broker) => broker !== "");
}

/** Opens nothing yet: connections are made when they are needed. */
export function createKafka(options: KafkaOptions): Kafka {
  mendFetching();
  replaceChecksum();
  replaceRecordWriting();
  stopIdleTimers();
  const client = new KafkaClient(clientConfig(options));
  const readerClient = new KafkaClient({
    ...clientConfig(options),
    ...kafkaConnection(options, { waitsForIssuer: true }),
    retry: READER_RETRY,
  });
  const readers = openOnce(() => client.admin(ADMIN));
  const ends = openOnce(() => adminOfEnds(new KafkaClient(clientConfig(options)), ADMIN));
  const incarnations = createIncarnationReader(new KafkaClient(clientConfig(options)));
  const topicOffsets = async (topic: string) => fetchOffsetsAndEnds({ readers: await readers.admin(), ends: await ends.admin() }, topic);
  const groupPlaces = async (group: string, topic: string): Promise<Map<number, GroupPlace>> => {
    const [answer] = await (await readers.admin()).fetchOffsets({ groupId: group, topics: [topic] });
    const known = (answer?.partitions ?? []).map(
      ({ partition, offset, metadata }) => [partition, { offset: BigInt(offset), note: readNote(metadata) }] as const,
    );
    return new Map(known.filter(([, { offset }]) => offset >= 0n));
  };
  return {
    createProducer: () => createProducer(client),
    createConsumer: (consumerOptions) =>
      createConsumer(readerClient, consumerOptions, {
        groupPlaces,
        topicOffsets,
        readIncarnation: incarnations.read,
        logger: options.logger,
      }),
    topicOffsets,
    topicIncarnation: (topic) => incarnations.read(topic, 0),
    groupPlaces,
    readRange: (range) => readRange(new KafkaClient(clientConfig(options)), range, incarnations.read),
    async ping() {
      await readers
        .admin()
        .then((admin) => admin.describeCluster())
        .catch((error: unknown) => {
          throw error instanceof Error && error.name === LOGIN_REFUSED
            ? new DomainError("UNAVAILABLE", "it refuses the login of KAFKA_SASL_MECHANISM", {}, error)
            : error;
        });
    },
    async committedOffsets(group, topic) {
      return new Map([...(await groupPlaces(group, topic))].map(([partition, { offset }]) => [partition, offset]));
    },
    async close() {
      const closed = Promise.all([readers.close(), ends.close(), incarnations.close()]);
      await Promise.race([closed, sleep(CLOSE_WITHIN_MS, undefined, { ref: false })]);
    },
  };
}

/** An admin that is connected with its first use, and anew when that failed. */
function openOnce(make: () => Admin): { admin(): Promise<Admin>; close(): Promise<void> } {
  let open: Promise<Admin> | undefined;
  return {
    admin() {
      open ??= connectAdmin(make()).catch((error: unknown) => {
        open = undefined;
        throw error;
      });
      return open;
    },
    close: async () => open?.then((admin) => admin.disconnect()).catch(() => {}),
  };
}

/**
 * Makes the topics that are not there; those that are stay as they are. Safe to retry, and from several processes at a time.
 * Throws: the client's error when the broker does not answer or refuses one of them.
 */
export async function ensureTopics(
  brokers: readonly string[],
  topics: readonly TopicPlan[],
  logger: Log = SILENT_LOG,
  security?: KafkaSecurity,
): Promise<void> {
  const admin = await connectAdmin(new KafkaClient(clientConfig({ brokers, security, clientId: "saldo-topics", logger })).admin(ADMIN));
  try {
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter(({ topic }) => !existing.has(topic));
    if (missing.length === 0) return;
    await admin.createTopics({
      topics: missing.map(({ topic, partitions, settings }) => ({
        topic,
        numPartitions: partitions,
        configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
      })),
      waitForLeaders: false,
    });
    await untilLed(
      admin,
      missing.map(({ topic }) => topic),
    );
  } finally {
    await admin.disconnect();
  }
}

// The client's own wait fails on a broker that has not heard of the new topic yet. A broker leads a partition only once it answers for
// its offsets: the metadata name it a moment before.
async function untilLed(admin: Admin, topics: readonly string[]): Promise<void> {
  for (const deadlineMs = performance.now() + LEADERS_WITHIN_MS; ; await sleep(LEADERS_POLL_MS)) {
    try {
      for (const topic of topics) await fetchTopicOffsets(admin, topic);
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
  }
}

async function connectAdmin(admin: Admin): Promise<Admin> {
  await admin.connect();
  return admin;
}

/**
 * One request in flight keeps the order of equal keys through every retry. The client's idempotent mode would also take
 * away the double after a lost answer, but it stops for good with an out-of-order sequence after a reconnect
 * (tulios/kafkajs#598); readers recognise a message sent twice by its id instead.
 */
function createProducer(client: KafkaClient): KafkaProducer {
  const producer = client.producer({
    createPartitioner,
    allowAutoTopicCreation: false,
    idempotent: false,
    maxInFlightRequests: 1,
    retry: { retries: 3, initialRetryTime: 200, maxRetryTime: 2_000 },
  });
  let connected: Promise<void> | undefined;
  const connect = (): Promise<void> => {
    connected ??= producer.connect().catch((error: unknown) => {
      connected = undefined;
      throw error;
    });
    return connected;
  };
  return {
    async send(topic, messages) {
      await connect();
      const results = await producer.send({
        topic,
        acks: -1,
        messages: messages.map(({ key, value, headers = {} }) => ({ key, value, headers })),
      });
      return results.map(({ partition, baseOffset }) => ({ partition, baseOffset: BigInt(baseOffset ?? "-1") }));
    },
    close: () => producer.disconnect(),
  };
}

function clientConfig(options: KafkaOptions): KafkaConfig {
  return {
    clientId: options.clientId,
    ...kafkaConnection(options),
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    // By default a client that lost its broker asks again after 6 s, then 12 s: longer than the broker's own restart.
    retry: { retries: 5, initialRetryTime: 200, maxRetryTime: 2_000 },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => writeClientLog(options.logger, entry),
  };
}
