import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, EachBatchPayload, Kafka as KafkaClient } from "kafkajs";
import type { TopicIncarnation } from "../../contract/topic-incarnations.ts";
import type { Log } from "../log.ts";
import { createFetchedFrom, type FetchedFrom } from "./kafka-fetched-from.ts";
import type { IncarnationReader } from "./kafka-incarnations.ts";
import { toFetchedMessage, type FetchedMessage } from "./kafka-message.ts";
import { noteText, type GroupPlace } from "./kafka-note.ts";
import { connectPatiently, openConsumer } from "./kafka-open-consumer.ts";
import { createOtherTopicWatch } from "./kafka-other-topic.ts";
import { createPlaces, type PlaceDeps, type Places } from "./kafka-places.ts";
import { Unreadable, type ClientRecord } from "./kafka-records.ts";
import { createTroubles, type TroubleDeps, type Troubles } from "./kafka-troubles.ts";

/** Messages of one partition in their order. `nextOffset` follows the last of them and what the client skipped after it. */
export interface FetchedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly FetchedMessage[];
  readonly nextOffset: string;
  /** Which of the topics that stood under this name. */
  readonly incarnation: TopicIncarnation;
}

/** What a handler may do while it has a batch. Heartbeats go on by themselves as long as it runs. */
export interface BatchControl {
  /** False once the partition may be another member's or the consumer is stopping: finish what is in hand, begin nothing new. */
  isActive(): boolean;
  /** Aborts a while after `isActive` turned false: a handler that still waits then gives up. */
  readonly signal: AbortSignal;
  /** Commits for the whole group that everything below `nextOffset` is done. Throws: the client's error; nothing is committed then. */
  commit(nextOffset: string): Promise<void>;
}

export interface ConsumerOptions {
  readonly group: string;
  readonly topic: string;
  readonly sessionTimeoutMs: number;
  readonly partitionsAtOnce: number;
  /** How long a handler may go on with what it has in hand after it lost its partition or was told to stop. */
  readonly graceMs: number;
  /** How often a partition that cannot be read is tried again; by default after 10 s, then at rests that double up to 5 min. */
  readonly retryUnreadable?: TroubleDeps["retry"];
}

/** What a consumer asks of Kafka beside what it reads. */
export interface ConsumerDeps {
  readonly groupPlaces: (group: string, topic: string) => Promise<ReadonlyMap<number, GroupPlace>>;
  readonly topicOffsets: (topic: string) => ReturnType<TroubleDeps["readOffsets"]>;
  readonly readIncarnation: IncarnationReader["read"];
  readonly logger: Log;
}

export interface KafkaConsumer {
  /**
   * Joins the group and hands each fetched batch to the handler, one batch per partition at a time. What the handler
   * leaves uncommitted is handed out again. Settles when the group is joined or being joined.
   * `onFatal` is told when the client has given up for good: the process should end then.
   */
  run(handler: (batch: FetchedBatch, control: BatchControl) => Promise<void>, onFatal: (error: Error) => void): Promise<void>;
  /** The partitions this member has now; undefined while it is in no group. */
  assigned(): readonly number[] | undefined;
  /** Those of them that cannot be read and are paused; they are tried again by themselves. */
  unreadable(): readonly number[];
  /**
   * Lets the handlers finish what they have in hand, leaves the group and disconnects. A broker that does not answer is waited for 3 s
   * after that, and not much longer than the handlers' grace in all. Safe to retry.
   */
  stop(): Promise<void>;
}

/** How long leaving may take. Without it the broker waits for the member's session to end, and the client for a broker that is away. */
const LEAVE_WITHIN_MS = 3_000;

const RETRY_UNREADABLE = { firstMs: 10_000, maxMs: 300_000 };

/**
 * A consumer of one topic. Makes no connection until `run`. A partition that cannot be read is paused and told of in the log and in the
 * group's note, and the others go on; what the broker removed before it was read is counted there too.
 */
export function createConsumer(
  client: KafkaClient,
  options: ConsumerOptions,
  { groupPlaces, topicOffsets, readIncarnation, logger }: ConsumerDeps,
): KafkaConsumer {
  const heartbeatMs = Math.max(100, Math.floor(options.sessionTimeoutMs / 4));
  let assigned: readonly number[] | undefined;
  let stopping: Promise<void> | undefined;
  const stopOrdered = new AbortController();
  const inHand = new Set<Promise<void>>();

  const consumer = openConsumer(client, options, heartbeatMs);
  const place: Omit<PlaceDeps, "readNotes"> = {
    topic: options.topic,
    group: options.group,
    readOffsets: () => topicOffsets(options.topic),
    commit: (partition, offset, metadata) => consumer.commitOffsets([{ topic: options.topic, partition, offset, metadata }]),
    log: logger,
  };
  const places = createPlaces({
    ...place,
    readNotes: async () =>
      new Map([...(await groupPlaces(options.group, options.topic))].map(([partition, { note }]) => [partition, note])),
  });
  const troubles = createTroubles({ ...place, places, retry: options.retryUnreadable ?? RETRY_UNREADABLE });
  const fetchedFrom = createFetchedFrom((partition) => readIncarnation(options.topic, partition));
  const otherTopic = createOtherTopicWatch({
    consumer,
    topic: options.topic,
    assigned: () => assigned ?? [],
    places,
    readIncarnation,
    logger,
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assigned = payload.memberAssignment[options.topic] ?? [];
    troubles.joined(assigned);
    places.joined();
    otherTopic.look();
    logger.info(
      { group: options.group, topic: options.topic, partitions: assigned, memberId: payload.memberId },
      "joined the consumer group",
    );
  });
  consumer.on(consumer.events.REBALANCING, () => {
    assigned = undefined;
  });
  commitPastControlRecords(consumer, { places, troubles, logger });

  return {
    async run(handler, onFatal) {
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        assigned = undefined;
        if (!payload.restart && stopping === undefined) onFatal(payload.error);
      });
      await connectPatiently(consumer, options.topic, stopOrdered.signal, logger);
      if (stopOrdered.signal.aborted) return consumer.disconnect();
      await fetchedFrom
        .begin()
        .catch((error: unknown) => logger.warn({ err: error, topic: options.topic }, "the topic's id is not known yet"));
      otherTopic.start();
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: options.partitionsAtOnce,
        eachBatch: async (payload) => {
          const handling = handleBatch(payload, handler, {
            heartbeatMs,
            graceMs: options.graceMs,
            stop: stopOrdered.signal,
            troubles,
            places,
            fetchedFrom,
          });
          inHand.add(handling);
          await handling.finally(() => inHand.delete(handling));
        },
      });
    },
    assigned: () => assigned,
    unreadable: troubles.unreadable,
    stop() {
      stopOrdered.abort();
      otherTopic.stop();
      troubles.stop();
      stopping ??= leave();
      return stopping;
    },
  };

  async function leave(): Promise<void> {
    const left = consumer.disconnect().then(() => true);
    const late = Promise.allSettled(inHand).then(() => sleep(LEAVE_WITHIN_MS, false, { ref: false }));
    // A commit that is under way heeds no signal.
    const latest = sleep(options.graceMs + LEAVE_WITHIN_MS / 3, false, { ref: false });
    if (!(await Promise.race([left, late, latest])))
      logger.warn({ group: options.group, topic: options.topic }, "left without the broker, which does not answer");
  }
}

// Batches that hold only control records never reach a handler; without a commit they would look like a lag for ever.
function commitPastControlRecords(
  consumer: Consumer,
  { places, troubles, logger }: { readonly places: Places; readonly troubles: Troubles; readonly logger: Log },
): void {
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    if (payload.batchSize > 0 || BigInt(payload.lastOffset) < 0n) return;
    const { topic, partition } = payload;
    const offset = (BigInt(payload.lastOffset) + 1n).toString();
    troubles.passed(partition);
    places
      .note(partition)
      .then((note) => consumer.commitOffsets([{ topic, partition, offset, metadata: noteText(note) }]))
      .catch((error: unknown) => logger.warn({ err: error, topic, partition, offset }, "could not commit past control records"));
  });
}

interface HandlingOptions {
  readonly heartbeatMs: number;
  readonly graceMs: number;
  readonly stop: AbortSignal;
  readonly troubles: Troubles;
  readonly places: Places;
  readonly fetchedFrom: FetchedFrom;
}

async function handleBatch(
  payload: EachBatchPayload,
  handler: (batch: FetchedBatch, control: BatchControl) => Promise<void>,
  options: HandlingOptions,
): Promise<void> {
  const { batch } = payload;
  const { fetched: content, trouble } = toFetchedBatch(payload);
  const isUnreadable = content.messages.length === 0 && trouble !== undefined;
  if (isUnreadable && trouble instanceof Unreadable) return options.troubles.meet(payload, trouble);
  const incarnation = await options.fetchedFrom.incarnation(batch.partition);
  // Fetched again by the client, since nothing of it is resolved.
  if (incarnation === undefined) return;
  if (await options.places.startOverIfOther(payload, incarnation)) return;
  if (isUnreadable) return options.troubles.meet(payload, trouble);
  const fetched = { ...content, incarnation };
  options.troubles.passed(batch.partition);
  const giveUp = new AbortController();
  let lost: unknown;
  let graceTimer: NodeJS.Timeout | undefined;
  const beginGrace = () => {
    graceTimer ??= setTimeout(() => giveUp.abort(), options.graceMs);
  };
  options.stop.addEventListener("abort", beginGrace, { once: true });
  if (options.stop.aborted) beginGrace();

  const heartbeat = setInterval(() => {
    if (lost !== undefined) return;
    payload.heartbeat().catch((error: unknown) => {
      lost ??= error;
      beginGrace();
    });
  }, options.heartbeatMs);

  const control: BatchControl = {
    isActive: () => lost === undefined && payload.isRunning() && !payload.isStale() && !options.stop.aborted,
    signal: giveUp.signal,
    async commit(nextOffset) {
      const place = { partition: batch.partition, offset: nextOffset, metadata: noteText(await options.places.note(batch.partition)) };
      await payload.commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions: [place] }] });
      payload.resolveOffset((BigInt(nextOffset) - 1n).toString());
    },
  };

  try {
    await handler(fetched, control);
  } catch (error) {
    throw retriable(error);
  } finally {
    clearInterval(heartbeat);
    clearTimeout(graceTimer);
    options.stop.removeEventListener("abort", beginGrace);
  }
  // The client joins the group again when it sees the heartbeat's error, after all handlers of this fetch have ended.
  if (lost !== undefined) throw lost;
}

// The client takes these for mistakes of its user and stops its consumer for good; ours are to be tried again like any other.
function retriable(error: unknown): unknown {
  const isTakenForMistake = [TypeError, SyntaxError, RangeError, ReferenceError].some((kind) => error instanceof kind);
  return isTakenForMistake ? new Error("the handler failed", { cause: error }) : error;
}

// What cannot be read stands behind everything that can.
function toFetchedBatch({ batch }: EachBatchPayload): { fetched: Omit<FetchedBatch, "incarnation">; trouble: ClientRecord["trouble"] } {
  const trouble = (batch.messages.at(-1) as Pick<ClientRecord, "trouble"> | undefined)?.trouble;
  const messages = trouble === undefined ? batch.messages : batch.messages.slice(0, -1);
  const beforeTrouble = trouble instanceof Unreadable ? trouble.fromOffset : undefined;
  const lastOffset = trouble === undefined ? batch.lastOffset() : (messages.at(-1)?.offset ?? "-1");
  const fetched = {
    topic: batch.topic,
    partition: batch.partition,
    nextOffset: beforeTrouble ?? (BigInt(lastOffset) + 1n).toString(),
    messages: messages.map(toFetchedMessage),
  };
  return { fetched, trouble };
}
