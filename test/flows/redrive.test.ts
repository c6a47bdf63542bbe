import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readWaitingItems } from "../../src/store/outbox/outbox-backlog.ts";
import { createBridgeBench, purchaseMessage, type BridgeBench } from "../support/bridge.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createRedriveClient } from "../support/redrive-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

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
