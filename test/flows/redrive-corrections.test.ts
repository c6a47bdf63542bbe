import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loyaltyTopic, purchaseTopic } from "../../src/ingest/ledger-events.ts";
import { checkCorrection } from "../../src/ingest/redrives.ts";
import { findLetter } from "../../src/store/events/redrives.ts";
import { createBridgeBench, purchaseMessage, type BridgeBench } from "../support/bridge.ts";
import { createTestApi, type TestAnswer, type TestApi } from "../support/http-api.ts";
import { createRedriveClient } from "../support/redrive-client.ts";
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

const { relay, receipt, deadLetters, redrive, seen, revenue } = createRedriveClient(() => ({ api, bench, topic }));

describe("a dead letter", () => {
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
});

describe("a corrected value", () => {
  it("is refused at once when it is no event, or another one than the dead letter is or was already", async () => {
    const own = randomUUID();
    const reader = purchaseTopic(topic, bench);
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
    await bench.startBridge({ topic, group: topic, kind: loyaltyTopic(topic, bench) });
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
