import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { loyaltyTopic, purchaseTopic } from "../../src/ingest/ledger-events.ts";
import { orderRequestTopic } from "../../src/ingest/order-requests.ts";
import { checkCorrection } from "../../src/ingest/redrives.ts";
import { sagaCommandTopic } from "../../src/ingest/saga-topics.ts";
import { createRelay } from "../../src/outbox/relay.ts";
import { findLetter } from "../../src/store/events/redrives.ts";
import { readWaitingItems } from "../../src/store/outbox/outbox-backlog.ts";
import { countFailedAttempt, markPublished, readUnpublished } from "../../src/store/outbox/outbox.ts";
import { createBridgeBench, eventMessage, purchaseMessage, type BridgeBench } from "../support/bridge.ts";
import { createTestApi, type TestAnswer, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let testDatabase: TestDatabase;
let bench: BridgeBench;
let api: TestApi;
let topic = "";

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  bench = await createBridgeBench(testDatabase);
});
afterAll(async () => {
  await bench.close();
  await testDatabase.drop();
});
beforeEach(async () => {
  topic = await bench.newTopic();
  api = createTestApi({ databaseUrl: testDatabase.appUrl, settings: { eventTopics: [topic] } });
  await bench.startBridge({ topic, group: topic });
  return () => api.close();
});

/** Publishes what is meant for the topic. */
async function relay(): Promise<void> {
  const one = createRelay({
    takeLease: async () => true,
    renewLeaseMs: 1_000,
    readUnpublished: async (input) => (await readUnpublished(api.db, input)).filter((row) => row.topic === topic),
    markPublished: (ids) => markPublished(api.db, ids),
    countFailedAttempt: (ids) => countFailedAttempt(api.db, ids),
    send: bench.producer.send,
    batchSize: 100,
    pollMs: 10,
    backoff: { firstMs: 10, maxMs: 10 },
    nowMs: () => performance.now(),
    log: SILENT_LOG,
  });
  while ((await one.step()) > 0);
}

const receipt = (offset: number) => api.call("GET", `/api/v1/events/${topic}/0/${offset}`);
const deadLetters = async (query = "") =>
  (await api.call("GET", `/api/v1/dead-letters?topic=${topic}${query}`)).body["deadLetters"] as Record<string, unknown>[];
const redrive = (id: unknown, body: Record<string, unknown>) => api.call("POST", `/api/v1/dead-letters/${String(id)}/redrive`, { body });
const seen = async (offset: number): Promise<TestAnswer> => {
  let answer = await receipt(offset);
  await until(`offset ${offset} has a receipt`, async () => {
    answer = await receipt(offset);
    return answer.status === 200;
  });
  return answer;
};
const revenue = async () =>
  (await api.db.execute<{ n: string }>(`select count(*) as n from operations where topic = '${topic}' and outcome = 'done'`))[0]?.n;

describe("the receipt of a message", () => {
  it("tells what it became, the first of which it repeats, and why it is a dead letter", async () => {
    const id = randomUUID();
    await bench.producer.send(topic, [
      purchaseMessage({ event_id: id }),
      purchaseMessage({ event_id: id }),
      purchaseMessage({ event_id: id, amount: "11.00" }),
      purchaseMessage({ amount: "0.00" }),
      purchaseMessage({ payment_method: "wallet", user_id: "poor" }),
    ]);
    const [applied, duplicate, conflict, invalid, refused] = [await seen(0), await seen(1), await seen(2), await seen(3), await seen(4)];
    expect(applied.body).toMatchObject({ outcome: "applied", identity: `event:${topic}#${id}`, topic, partition: 0, offset: "0" });
    expect(applied.body["workflowId"]).toBeTypeOf("string");
    expect(duplicate.body).toMatchObject({
      outcome: "duplicate",
      operationId: applied.body["operationId"],
      first: { topic, partition: 0, offset: "0" },
    });
    expect(conflict.body).toMatchObject({ outcome: "dead-lettered", code: "CONFLICT" });
    expect(invalid.body).toMatchObject({ outcome: "dead-lettered", code: "INVALID_AMOUNT" });
    expect(refused.body).toMatchObject({ outcome: "refused", code: "INSUFFICIENT_FUNDS" });
    expect([(await receipt(5)).body["code"], (await api.call("GET", "/api/v1/events/elsewhere/0/0")).body["code"]]).toEqual([
      "EVENT_NOT_SEEN",
      "TOPIC_NOT_READ",
    ]);
  });
});

describe("a dead letter", () => {
  it("that is corrected and sent again takes effect once, under the identity of its first place", async () => {
    await bench.producer.send(topic, [purchaseMessage({ amount: "0.00" })]);
    await seen(0);
    const [letter] = await deadLetters();
    const corrected = JSON.parse(String(purchaseMessage({ amount: "5.00" }).value)) as object;
    const asked = await redrive(letter?.["deadLetterId"], { body: corrected, reason: "the shop sent nothing" });
    expect([asked.status, asked.body["count"]]).toEqual([202, 1]);
    // Sent twice more by mistake: still one effect.
    for (let times = 0; times < 2; times += 1) await redrive(letter?.["deadLetterId"], { body: corrected, reason: "again" });
    await relay();

    const [first, second] = [await seen(1), await seen(2)];
    await seen(3);
    expect(first.body).toMatchObject({ outcome: "applied", identity: `event:${topic}@0:0`, first: { topic, partition: 0, offset: "0" } });
    expect(second.body).toMatchObject({ outcome: "duplicate", operationId: first.body["operationId"] });
    expect((await receipt(0)).body).toMatchObject({ outcome: "applied", operationId: first.body["operationId"] });
    expect(await revenue()).toBe("1");
    const shown = await api.call("GET", `/api/v1/dead-letters/${String(letter?.["deadLetterId"])}`);
    expect(shown.body).toMatchObject({
      status: "redriven",
      redrivenBy: "local",
      outcome: { outcome: "applied", operationId: first.body["operationId"] },
    });
    const acts = await api.db.execute("select reason, details from acts where act = 'dead-letter.redriven' order by id");
    expect(acts).toHaveLength(3);
    expect(acts[0]).toMatchObject({ reason: "the shop sent nothing" });
  });

  it("has one effect, whatever ids it is corrected to one after the other", async () => {
    const [known, unknown] = [randomUUID(), randomUUID()];
    await bench.producer.send(topic, [purchaseMessage({ amount: "0.00", event_id: known }), { key: "ann", value: `{${unknown}` }]);
    await seen(1);
    const [broken, zero] = await deadLetters();
    const corrections: [unknown, Record<string, unknown>][] = [
      [zero, { amount: "8.00" }],
      [zero, { amount: "9.00", event_id: randomUUID() }],
      [broken, { amount: "3.00", event_id: unknown }],
      [broken, { amount: "3.00", event_id: randomUUID() }],
      [broken, { amount: "3.00" }],
    ];
    let offset = 1;
    const became: unknown[] = [];
    for (const [letter, change] of corrections) {
      const body = JSON.parse(String(purchaseMessage(change).value)) as object;
      await redrive((letter as Record<string, unknown>)["deadLetterId"], { body, reason: "a correction" });
      await relay();
      const { body: answer } = await seen((offset += 1));
      became.push([answer["outcome"], answer["code"] ?? answer["identity"]]);
    }
    expect(became).toEqual([
      ["applied", `event:${topic}#${known}`],
      ["dead-lettered", "CONFLICT"],
      ["applied", `event:${topic}#${unknown}`],
      ["dead-lettered", "CONFLICT"],
      ["duplicate", `event:${topic}#${unknown}`],
    ]);
    expect(await revenue()).toBe("2");
  });

  it("has one effect, when corrections to several ids are on their way at the same time, in any order and over any partitions", async () => {
    const wide = await bench.newTopic(4);
    topic = wide;
    for (let members = 0; members < 2; members += 1) await bench.startBridge({ topic: wide, group: wide });
    const letters = 12;
    // Without a key, so that the corrections of one dead letter go to any partition.
    await bench.producer.send(
      wide,
      Array.from({ length: letters }, () => ({ key: null, value: "{" })),
    );
    await until("all are dead letters", async () => (await deadLetters()).length === letters);
    const corrections: Promise<TestAnswer>[] = [];
    for (const { deadLetterId } of await deadLetters())
      for (const id of [randomUUID(), randomUUID(), undefined]) {
        const body = JSON.parse(String(purchaseMessage({ amount: "3.00", event_id: id }).value)) as object;
        corrections.push(redrive(deadLetterId, { body, reason: "a correction" }));
      }
    await Promise.all(corrections);
    await relay();
    await until("all corrections are done", async () => (await bench.committed(wide, wide)) === BigInt(letters * 4));
    expect(await revenue()).toBe(String(letters));
    const [kept] = await api.db.execute<{ n: string }>(
      `select count(distinct d.effect_key) as n from dead_letters d join operations o on o.key = d.effect_key where d.topic = '${wide}'`,
    );
    expect(kept?.n).toBe(String(letters));
    // What is refused besides makes nothing of it that took effect a refusal.
    expect((await deadLetters()).map(({ status }) => status)).toEqual(Array.from({ length: letters }, () => "redriven"));
  });

  it.each([
    ["with other content", { amount: "3.00" }, ["dead-lettered", "CONFLICT"]],
    ["with its content", {}, ["duplicate", undefined]],
  ])("that names by mistake an event that is there already, %s, can be corrected once more", async (_name, change, expected) => {
    const [taken, own] = [randomUUID(), randomUUID()];
    await bench.producer.send(topic, [purchaseMessage({ event_id: taken }), { key: "ann", value: "{" }]);
    await seen(1);
    const [letter] = await deadLetters();
    const became: unknown[] = [];
    for (const [place, id] of [taken, own, randomUUID()].entries()) {
      const body = JSON.parse(String(purchaseMessage({ ...change, event_id: id }).value)) as object;
      expect((await redrive(letter?.["deadLetterId"], { body, reason: "a correction" })).status).toBe(202);
      await relay();
      const { body: answer } = await seen(place + 2);
      became.push([answer["outcome"], place === 0 ? answer["code"] : (answer["code"] ?? answer["identity"])]);
    }
    expect(became).toEqual([expected, ["applied", `event:${topic}#${own}`], ["dead-lettered", "CONFLICT"]]);
    expect(await revenue()).toBe("2");
  });

  it("that holds a card number can still be corrected to any event after it was sent again as it was", async () => {
    await bench.producer.send(topic, [purchaseMessage({ payment_method: "4111 1111 1111 1111" })]);
    await seen(0);
    const [letter] = await deadLetters();
    await redrive(letter?.["deadLetterId"], { reason: "perhaps now" });
    await relay();
    expect((await seen(1)).body).toMatchObject({ outcome: "dead-lettered", code: "CARD_DATA_REFUSED" });
    const corrected = JSON.parse(String(purchaseMessage({ event_id: "clean" }).value)) as object;
    expect((await redrive(letter?.["deadLetterId"], { body: corrected, reason: "without the card" })).status).toBe(202);
    await relay();
    expect((await seen(2)).body).toMatchObject({ outcome: "applied", identity: `event:${topic}#clean` });
  });

  it("that is refused again stays the same dead letter, counted up", async () => {
    await bench.producer.send(topic, [purchaseMessage({ amount: "0.00" })]);
    await seen(0);
    const [letter] = await deadLetters();
    await redrive(letter?.["deadLetterId"], { reason: "perhaps now" });
    await relay();
    expect((await seen(1)).body).toMatchObject({ outcome: "dead-lettered", deadLetterId: letter?.["deadLetterId"] });
    const [after, ...more] = await deadLetters();
    expect(more).toEqual([]);
    expect(after).toMatchObject({ status: "refused-again", attempts: 2, code: "INVALID_AMOUNT" });
    // It waits for somebody again, until it takes effect.
    const waiting = async () => (await readWaitingItems(api.db))["dead_letters"] ?? 0;
    const waitingNow = await waiting();
    const corrected = JSON.parse(String(purchaseMessage({ amount: "4.00" }).value)) as object;
    await redrive(letter?.["deadLetterId"], { body: corrected, reason: "the shop sent nothing" });
    await relay();
    expect((await seen(2)).body).toMatchObject({ outcome: "applied" });
    expect(await waiting()).toBe(waitingNow - 1);
  });

  it("gives its identity to nobody who only writes its header", async () => {
    await bench.producer.send(topic, [purchaseMessage({ amount: "0.00" })]);
    await seen(0);
    const [letter] = await deadLetters();
    const forged = { ...purchaseMessage({ amount: "7.00" }), headers: { "redrive-of": String(letter?.["deadLetterId"]) } };
    await bench.producer.send(topic, [forged]);
    expect((await seen(1)).body).toMatchObject({ outcome: "applied", identity: `event:${topic}@0:1` });
    expect((await receipt(0)).body["outcome"]).toBe("dead-lettered");
  });

  it("goes again with all others that match and never went", async () => {
    await bench.producer.send(topic, [
      purchaseMessage({ amount: "0.00" }),
      purchaseMessage({ amount: "0.00" }),
      purchaseMessage({ currency: "XXX" }),
      { key: "k", value: "{", headers: {} },
    ]);
    await seen(3);
    const all = await deadLetters();
    await redrive(all[3]?.["deadLetterId"], { reason: "one by itself" });
    const asked = await api.call("POST", "/api/v1/dead-letters/redrive", {
      body: { filter: { topic, code: "INVALID_AMOUNT" }, reason: "after a fix", limit: 10 },
    });
    expect(asked.body).toMatchObject({ count: 1, deadLetterIds: [all[2]?.["deadLetterId"]] });
    expect((await deadLetters("&redriven=false")).map(({ offset }) => offset)).toEqual(["3", "2"]);
  });
});

describe("a dead letter of a topic that starts workflows", () => {
  const ordered: string[] = [];
  const charged: string[] = [];
  const wish = (orderId: string, change: Readonly<Record<string, unknown>> = {}) =>
    eventMessage("k", { order_id: orderId, user_id: "ann", items: [{ service_id: "music", amount: "1.00" }], ...change });
  const orders = (name: string) =>
    orderRequestTopic(name, {
      starters: {
        startOrder: async ({ orderId }) => {
          const alreadyStarted = ordered.includes(orderId);
          if (!alreadyStarted) ordered.push(orderId);
          return { workflowId: orderId, alreadyStarted, outcome: async () => undefined };
        },
        orderRequestHash: async () => "another",
      },
      knownRequestHash: async () => undefined,
      claimIdentity: async (_identity, workflowId) => workflowId,
      knownServices: async (ids) => new Set(ids),
      defaultCurrency: "RUB",
      settings: {},
    });
  const commands = (name: string) =>
    sagaCommandTopic(
      {
        starters: {
          runSagaCommand: async ({ sagaId, amountMinor, currency, userId }) => {
            charged.push(sagaId);
            return { outcome: "succeeded", amountMinor, currency, userId };
          },
        },
        defaultCurrency: "RUB",
      },
      name,
    );
  const command = (sagaId: string) =>
    eventMessage("k", { saga_id: sagaId, command: "CHARGE", order_id: "o", user_id: "ann", amount: "1.00" });

  const correctAll = async (name: string, values: readonly (Buffer | string | null)[]) => {
    await until("it is a dead letter", async () => (await deadLetters()).length === 1);
    const [letter] = await deadLetters();
    for (const value of values) await redrive(letter?.["deadLetterId"], { body: String(value), reason: "a correction" });
    await relay();
    await until("all corrections are done", async () => (await bench.committed(name, name)) === BigInt(values.length + 1));
    return Promise.all(values.map(async (_, place) => (await seen(place + 1)).body["outcome"]));
  };

  it("becomes one order, whatever orders it is corrected to, also under its own event id", async () => {
    topic = await bench.newTopic();
    await bench.startBridge({ topic, group: topic, kind: orders(topic) });
    const [first, second] = [randomUUID(), randomUUID()];
    await bench.producer.send(topic, [wish("", { event_id: "e-1" })]);
    const became = await correctAll(
      topic,
      [wish(first, { event_id: "e-2" }), wish(first, { event_id: "e-1" }), wish(second, { event_id: "e-1" }), wish(second)].map(
        ({ value }) => value,
      ),
    );
    expect(became).toEqual(["dead-lettered", "started", "dead-lettered", "dead-lettered"]);
    expect(ordered).toEqual([first]);
    // The same chunk had the one that was taken and those that were refused.
    expect((await deadLetters())[0]).toMatchObject({ status: "redriven", code: "INVALID_EVENT", attempts: 4 });
  });

  it("becomes one command of one saga", async () => {
    topic = await bench.newTopic();
    await bench.startBridge({ topic, group: topic, kind: commands(topic) });
    const [first, second] = [randomUUID(), randomUUID()];
    await bench.producer.send(topic, [{ key: "k", value: "{" }]);
    expect(await correctAll(topic, [command(first).value, command(second).value, command(first).value])).toEqual([
      "started",
      "dead-lettered",
      "started",
    ]);
    expect(charged).toEqual([first, first]);
  });
});

describe("a corrected value", () => {
  it("is refused at once when it is no event, or another one than the dead letter is or was already", async () => {
    const own = randomUUID();
    const reader = purchaseTopic(topic, bench.starters);
    const judged = createTestApi({
      databaseUrl: testDatabase.appUrl,
      settings: { eventTopics: [topic] },
      checkCorrection: (correction) =>
        checkCorrection(correction, reader, { findLetter: (name, id) => findLetter(api.db, name, id), nowMs: () => Date.now() }),
    });
    await bench.producer.send(topic, [purchaseMessage({ amount: "0.00", event_id: own }), { key: "ann", value: "{" }]);
    await seen(1);
    const [broken, zero] = (await deadLetters()).map(({ deadLetterId }) => String(deadLetterId));
    const correct = async (id: string | undefined, change: Readonly<Record<string, unknown>>) => {
      const body = JSON.parse(String(purchaseMessage(change).value)) as object;
      const answer = await judged.call("POST", `/api/v1/dead-letters/${String(id)}/redrive`, { body: { body, reason: "a correction" } });
      return [answer.status, answer.body["code"]];
    };
    expect(await correct(zero, { amount: "0.001", event_id: own })).toEqual([422, "INVALID_EVENT"]);
    expect(await correct(zero, { event_id: randomUUID() })).toEqual([409, "REDRIVE_CONFLICT"]);
    const named = randomUUID();
    expect(await correct(broken, { event_id: named })).toEqual([202, undefined]);
    await relay();
    await seen(2);
    expect(await correct(broken, { event_id: randomUUID() })).toEqual([409, "REDRIVE_CONFLICT"]);
    expect(await correct(broken, { event_id: named })).toEqual([202, undefined]);
    expect(await correct(broken, {})).toEqual([202, undefined]);
    expect(await correct(zero, {})).toEqual([202, undefined]);
    // A long number is an id here, a card's number is none.
    expect(await correct(zero, { event_id: own, order_id: "1000000000000008" })).toEqual([202, undefined]);
    expect(await correct(zero, { event_id: own, order_id: "4111111111111111" })).toEqual([422, "CARD_DATA_REFUSED"]);
    await judged.close();
  });

  it("of loyalty points keeps to the first transaction that it named", async () => {
    topic = await bench.newTopic();
    await bench.startBridge({ topic, group: topic, kind: loyaltyTopic(topic, bench.starters) });
    const points = (id: string) =>
      JSON.stringify({ transaction_id: id, user_id: "ann", type: "accrual", amount: 5, occurred_at: "2024-01-01T00:00:00Z" });
    await bench.producer.send(topic, [{ key: "ann", value: "{" }]);
    await seen(0);
    const [letter] = await deadLetters();
    for (const id of ["t-1", "t-2", "t-1"]) await redrive(letter?.["deadLetterId"], { body: points(id), reason: "a correction" });
    await relay();
    await seen(3);
    const outcomes = await Promise.all([1, 2, 3].map(async (offset) => (await receipt(offset)).body["outcome"]));
    expect(outcomes).toEqual(["applied", "dead-lettered", "duplicate"]);
    expect(await revenue()).toBe("1");
  });
});
