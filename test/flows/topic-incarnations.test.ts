import { randomUUID } from "node:crypto";
import { Kafka as KafkaClient, logLevel, type Admin } from "kafkajs";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { ensureTopics } from "../../src/adapters/kafka/kafka.ts";
import { importEvents, type ImportDeps } from "../../src/cli/import/import-events.ts";
import { eventBatchWorkflowId } from "../../src/contract/ids.ts";
import { deadLetterTopic } from "../../src/contract/topics.ts";
import { listDeadLetters } from "../../src/store/events/dead-letter-list.ts";
import { traceEvents } from "../../src/store/events/import-tally.ts";
import { findReceipt } from "../../src/store/events/receipts.ts";
import { redriveDeadLetter } from "../../src/store/events/redrives.ts";
import {
  declareIncarnation,
  listIncarnations,
  numberOfIncarnation,
  placeTopicOf,
  readIncarnation,
} from "../../src/store/events/topic-incarnations.ts";
import { createBridgeBench, purchaseMessage, type BridgeBench } from "../support/bridge.ts";
import { relayOutbox } from "../support/relay-outbox.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let testDatabase: TestDatabase;
let bench: BridgeBench;
let admin: Admin;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  bench = await createBridgeBench(testDatabase);
  admin = new KafkaClient({ clientId: "incarnations", brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
});

afterAll(async () => {
  await admin.disconnect();
  await bench.close();
  await testDatabase.drop();
});

const newPlace = async () => ({ topic: await bench.newTopic(), group: `incarnations-${randomUUID().slice(0, 8)}` });

/** Deletes the topic and makes another of its name. */
async function makeAgain(topic: string) {
  const before = await bench.kafka.topicIncarnation(topic);
  await admin.deleteTopics({ topics: [topic] });
  await until("the topic is gone", async () => (await bench.kafka.topicIncarnation(topic)) === undefined);
  await ensureTopics(inject("kafkaBrokers"), [{ topic, partitions: 1, settings: {} }]);
  await until("another one is there", async () => (await bench.kafka.topicIncarnation(topic)) !== undefined);
  expect(await bench.kafka.topicIncarnation(topic)).not.toEqual(before);
}

/** Commits a place as a member of the group that knew of no other topic yet. */
async function commitLate({ topic, group }: { topic: string; group: string }, { offset, metadata }: { offset: string; metadata: string }) {
  const consumer = new KafkaClient({ brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING }).consumer({
    groupId: group,
    sessionTimeout: 6_000,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {} });
  await joined;
  await consumer.commitOffsets([{ topic, partition: 0, offset, metadata }]);
  await consumer.disconnect();
}

const buy = (topic: string, users: readonly string[]) =>
  bench.producer.send(
    topic,
    users.map((user) => purchaseMessage({ user_id: user })),
  );

const isDone = async ({ topic, group }: { topic: string; group: string }, messages: bigint) =>
  await until(`${messages} messages are done`, async () => (await bench.kafka.committedOffsets(group, topic)).get(0) === messages);

async function booked(topic: string) {
  const rows = await bench.database.db.execute<{ key: string; user_id: string }>(
    `select key, user_id from operations where split_part(topic, '~', 1) = '${topic}' order by id`,
  );
  return [...rows].map(({ key, user_id: user }) => [key, user]);
}

const lettersOf = async (topic: string) =>
  (await listDeadLetters(bench.database.db, { topic, limit: 50 })).map(({ identity, code }) => [identity, code]).toReversed();

describe("a topic that is deleted and made again", () => {
  it("has places of its own: purchases without an id are booked, malformed messages kept, receipts tell of each", async () => {
    const place = await newPlace();
    const { topic } = place;
    const first = await bench.startBridge(place);
    await buy(topic, ["ann", "ben"]);
    await bench.producer.send(topic, [{ key: null, value: "no json" }, purchaseMessage({ user_id: "cid", event_id: "own" })]);
    await isDone(place, 4n);
    await first.stop();

    await makeAgain(topic);
    const second = await bench.startBridge(place);
    await buy(topic, ["dan", "eve"]);
    await bench.producer.send(topic, [{ key: null, value: "no json" }, purchaseMessage({ user_id: "cid", event_id: "own" })]);
    await isDone(place, 4n);
    await second.stop();

    expect(await booked(topic)).toEqual([
      [`event:${topic}@0:0`, "ann"],
      [`event:${topic}@0:1`, "ben"],
      [`event:${topic}#own`, "cid"],
      [`event:${topic}~2@0:0`, "dan"],
      [`event:${topic}~2@0:1`, "eve"],
    ]);
    expect(await lettersOf(topic)).toEqual([
      [`event:${topic}@0:2`, "MALFORMED_JSON"],
      [`event:${topic}~2@0:2`, "MALFORMED_JSON"],
    ]);
    const receipt = async (asked: string, offset: string) =>
      await findReceipt(bench.database.db, { topic: await placeTopicOf(bench.database.db, asked), partition: 0, offset });
    expect(await receipt(topic, "0")).toMatchObject({ outcome: "applied", identity: `event:${topic}~2@0:0` });
    expect(await receipt(`${topic}~1`, "0")).toMatchObject({ outcome: "applied", identity: `event:${topic}@0:0` });
    expect(await receipt(topic, "3")).toMatchObject({
      outcome: "duplicate",
      identity: `event:${topic}#own`,
      first: { topic, partition: 0, offset: "3" },
    });
    const copies: unknown[] = [];
    await relayOutbox(bench.database.db, {
      topic: deadLetterTopic(topic),
      send: async (_topic, messages) => void copies.push(...messages.map(({ headers }) => headers?.["topic"])),
    });
    expect(copies).toEqual([topic, topic]);
  });

  it.each([
    ["shorter than", ["dan"]],
    ["as long as", ["dan", "eve"]],
    ["longer than", ["dan", "eve", "fay"]],
  ])("is read from its beginning while the bridge runs, when it is %s what was read", async (_length, users) => {
    const place = await newPlace();
    await bench.startBridge(place);
    await buy(place.topic, ["ann", "ben"]);
    await isDone(place, 2n);
    await makeAgain(place.topic);
    await buy(place.topic, users);
    await until("all are booked", async () => (await booked(place.topic)).length === 2 + users.length);
    expect((await booked(place.topic)).slice(2)).toEqual(users.map((user, offset) => [`event:${place.topic}~2@0:${offset}`, user]));
  });

  it("is read from its beginning when the group's place is that of the earlier one, which a late commit left there", async () => {
    const place = await newPlace();
    const bridge = await bench.startBridge(place);
    await buy(place.topic, ["ann", "ben"]);
    await isDone(place, 2n);
    await bridge.stop();
    const [kept] = (await admin.fetchOffsets({ groupId: place.group, topics: [place.topic] })).flatMap(({ partitions }) => partitions);
    await makeAgain(place.topic);
    await buy(place.topic, ["dan", "eve"]);
    await commitLate(place, { offset: "2", metadata: kept?.metadata ?? "" });
    await bench.startBridge(place);
    await until("all are booked", async () => (await booked(place.topic)).length === 4);
  });

  it("has batches of its own: one of the earlier topic that still runs is not joined by one with the same offsets", async () => {
    const place = await newPlace();
    const running = new Map<string, ReturnType<typeof bench.starters.runEventBatch>>();
    let letGo = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    // As Temporal does under USE_EXISTING.
    const starters: typeof bench.starters = {
      runEventBatch(input, signal) {
        const workflowId = eventBatchWorkflowId(input);
        const known = running.get(workflowId);
        if (known !== undefined) return known;
        const isFirst = running.size === 0;
        const run = (isFirst ? held : Promise.resolve()).then(() => bench.starters.runEventBatch(input, signal));
        running.set(workflowId, run);
        return run;
      },
    };
    await buy(place.topic, ["ann", "ben"]);
    await bench.startBridge({ ...place, starters });
    await until("the batch of the earlier topic runs", () => running.size === 1);
    await makeAgain(place.topic);
    await buy(place.topic, ["dan", "eve"]);
    const second = { topic: place.topic, group: `${place.group}-2` };
    await bench.startBridge({ ...second, starters });
    await isDone(second, 2n);
    letGo();
    await until("the earlier batch is booked too", async () => (await booked(place.topic)).length === 4);
    expect((await booked(place.topic)).map(([, user]) => user)).toEqual(["dan", "eve", "ann", "ben"]);
  });

  it("takes a dead letter of the earlier topic under its first identity", async () => {
    const place = await newPlace();
    const first = await bench.startBridge(place);
    await bench.producer.send(place.topic, [{ key: null, value: "no json" }]);
    await isDone(place, 1n);
    await first.stop();
    await makeAgain(place.topic);
    await bench.startBridge(place);
    const [letter] = await listDeadLetters(bench.database.db, { topic: place.topic, limit: 1 });
    const body = String(purchaseMessage({ user_id: "gus" }).value);
    await redriveDeadLetter(bench.database.db, {
      deadLetterId: letter?.deadLetterId ?? "",
      body,
      actor: "test",
      reason: "test",
      correlationId: "test",
    });
    await relayOutbox(bench.database.db, { topic: place.topic, send: bench.producer.send });
    await until("it is booked", async () => (await booked(place.topic)).length === 1);
    expect(await booked(place.topic)).toEqual([[`event:${place.topic}@0:0`, "gus"]]);
    expect(await findReceipt(bench.database.db, { topic: `${place.topic}~2`, partition: 0, offset: "0" })).toMatchObject({
      outcome: "applied",
    });
  });

  it("is told from the earlier one by an import, which says of rows that came before that they are duplicates", async () => {
    const place = await newPlace();
    const imported = async () => {
      const { topic, group } = place;
      const deps: ImportDeps = {
        kafka: bench.kafka,
        producer: bench.producer,
        db: bench.database.db,
        topic,
        group,
        placeTopic: async () => {
          const number = await numberOfIncarnation(
            bench.database.db,
            topic,
            (await bench.kafka.topicIncarnation(topic)) ?? { clusterId: "", topicId: "" },
          );
          return number === 1 ? topic : `${topic}~${number}`;
        },
        trace: traceEvents,
        settleMs: 0,
        progress: { produced: () => {}, consumed: () => {} },
        onBadRow: () => {},
        nowMs: () => performance.now(),
      };
      async function* rows() {
        for (const id of ["1", "2", "3"]) {
          const { key, value } = purchaseMessage({ user_id: "hal", event_id: id });
          yield { key: String(key), json: String(value), eventId: id, line: Number(id) + 1 };
        }
      }
      return await importEvents(deps, rows, 30_000);
    };
    const first = await bench.startBridge(place);
    expect(await imported()).toMatchObject({ applied: 3, duplicates: 0 });
    await first.stop();
    await makeAgain(place.topic);
    await bench.startBridge(place);
    expect(await imported()).toMatchObject({ applied: 0, duplicates: 3, missing: 0 });
  });
});

describe("another cluster under the same database", () => {
  const act = { actor: "ops", reason: "a move", correlationId: "move" };

  it("has places of its own, unless an operator said before that it holds the same messages", async () => {
    const place = await newPlace();
    const { topic } = place;
    const { db } = bench.database;
    const old = { clusterId: "old", topicId: "one" };
    expect(await readIncarnation(db, topic, old)).toBe(1);
    const mirror = { clusterId: "new", topicId: "two" };
    expect(await declareIncarnation(db, { ...act, ...mirror, topic, sameAs: 1 })).toBe(1);
    expect(await declareIncarnation(db, { ...act, ...mirror, topic, sameAs: undefined })).toBe(2);
    expect(await declareIncarnation(db, { ...act, ...mirror, topic, sameAs: 1 })).toBe(1);
    expect(await readIncarnation(db, topic, mirror)).toBe(1);
    expect(await readIncarnation(db, topic, { clusterId: "other", topicId: "three" })).toBe(2);
    await expect(declareIncarnation(db, { ...act, clusterId: "other", topicId: "three", topic, sameAs: 1 })).rejects.toThrow(
      `messages of this ${topic} were taken as those of ${topic}~2, for ever`,
    );
    await expect(declareIncarnation(db, { ...act, clusterId: "x", topicId: "four", topic, sameAs: 7 })).rejects.toThrow("has the number 7");
    expect((await listIncarnations(db)).filter((one) => one.topic === topic).map(({ clusterId, number }) => [clusterId, number])).toEqual([
      ["old", 1],
      ["new", 1],
      ["other", 2],
    ]);
    const acts = await db.execute<{ act: string }>(
      `select act from acts where subject_type = 'topic' and subject_id = '${topic}' order by id`,
    );
    expect([...acts].map(({ act: done }) => done)).toEqual(["topic.declared-same", "topic.declared-different", "topic.declared-same"]);
  });

  it.each([
    ["is booked again where nobody said that it is a mirror", undefined, 4],
    ["is not booked again where an operator said that it is a mirror", 1, 2],
  ])("a topic that was read before under other ids %s", async (_words, sameAs, expected) => {
    const place = await newPlace();
    const { topic } = place;
    await buy(topic, ["ann", "ben"]);
    const onOldCluster = await bench.startBridge({
      ...place,
      readIncarnation: (name, incarnation) => readIncarnation(bench.database.db, name, { ...incarnation, clusterId: "old" }),
    });
    await isDone(place, 2n);
    await onOldCluster.stop();
    const now = await bench.kafka.topicIncarnation(topic);
    if (now === undefined) throw new Error("no topic");
    if (sameAs !== undefined) await declareIncarnation(bench.database.db, { ...act, ...now, topic, sameAs });
    const onNewCluster = { topic, group: `${place.group}-new` };
    await bench.startBridge(onNewCluster);
    await isDone(onNewCluster, 2n);
    expect(await booked(topic)).toHaveLength(expected);
  });
});
