import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { orderRequestTopic } from "../../src/ingest/order-requests.ts";
import { sagaCommandTopic } from "../../src/ingest/saga-topics.ts";
import { createBridgeBench, eventMessage, type BridgeBench } from "../support/bridge.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
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

const { relay, deadLetters, redrive, seen } = createRedriveClient(() => ({ api, bench, topic }));

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
