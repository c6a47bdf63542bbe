import { randomUUID } from "node:crypto";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deadLetters } from "../../drizzle/schema/events.ts";
import { operations } from "../../drizzle/schema/ledger.ts";
import { loyaltyTopic } from "../../src/ingest/ledger-events.ts";
import { readBalances } from "../../src/store/ledger/balances.ts";
import { createBridgeBench, eventMessage, type BridgeBench } from "../support/bridge.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let testDatabase: TestDatabase;
let bench: BridgeBench;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  bench = await createBridgeBench(testDatabase);
});

afterAll(async () => {
  await bench.close();
  await testDatabase.drop();
});

const points = (userId: string, change: Readonly<Record<string, unknown>>) =>
  eventMessage(userId, { user_id: userId, occurred_at: "2024-03-01T12:00:00Z", type: "accrual", ...change });

/** Hands the topic to a new group from its beginning, and waits until all of it is done. */
async function readAll(topic: string, count: bigint): Promise<void> {
  const group = `group-${randomUUID().slice(0, 8)}`;
  const bridge = await bench.startBridge({ topic, group, kind: loyaltyTopic(topic, bench) });
  await until("everything is committed", async () => (await bench.committed(group, topic)) >= count);
  await bridge.stop();
  expect(bridge.crashes).toEqual([]);
}

const operationsOf = (topic: string) =>
  bench.database.db.select().from(operations).where(eq(operations.topic, topic)).orderBy(operations.offset);
const pointsOf = async (userId: string) => (await readBalances(bench.database.db, [{ userId, currency: "PTS" }]))[0]?.availableMinor;

describe("the bridge of loyalty transactions", () => {
  it("gives and takes points in their order, each transaction once, however often it is delivered", async () => {
    const topic = await bench.newTopic();
    await bench.producer.send(topic, [
      points("lena", { transaction_id: "t-1", amount: 100 }),
      points("lena", { transaction_id: "t-2", amount: "30", type: "redemption", comment: "a cup" }),
      points("lena", { transaction_id: "t-1", amount: 100 }),
      points("lena", { transaction_id: "t-2", amount: 30, type: "redemption" }),
    ]);
    await readAll(topic, 4n);
    await readAll(topic, 4n);
    expect(await pointsOf("lena")).toBe(70n);
    expect(await operationsOf(topic)).toMatchObject([
      { key: `event:${topic}#t-1`, kind: "accrual", outcome: "done", amountMinor: 100n, currency: "PTS", offset: 0n },
      { key: `event:${topic}#t-2`, kind: "redemption", outcome: "done", amountMinor: 30n, comment: `a cup, event ${topic}/0/1` },
    ]);
  });

  it("never takes points below zero: the redemption is refused for ever, and is no dead letter", async () => {
    const topic = await bench.newTopic();
    await bench.producer.send(topic, [
      points("max", { transaction_id: "t-1", amount: 10 }),
      points("max", { transaction_id: "t-2", amount: 11, type: "redemption" }),
      points("max", { transaction_id: "t-3", amount: 100 }),
      points("max", { transaction_id: "t-2", amount: 11, type: "redemption" }),
    ]);
    await readAll(topic, 4n);
    await readAll(topic, 4n);
    expect(await pointsOf("max")).toBe(110n);
    expect((await operationsOf(topic))[1]).toMatchObject({ kind: "redemption", outcome: "refused", refusalCode: "INSUFFICIENT_FUNDS" });
    expect(await bench.database.db.select().from(deadLetters).where(eq(deadLetters.topic, topic))).toEqual([]);
  });

  it("dead-letters what is none, the same identity with other content, and a comment with a card number", async () => {
    const topic = await bench.newTopic();
    await bench.producer.send(topic, [
      points("nina", { transaction_id: "t-1", amount: 5 }),
      points("nina", { transaction_id: "t-1", amount: 5, type: "redemption" }),
      points("nina", { transaction_id: "t-2", amount: "0.5" }),
      points("nina", { transaction_id: "t-3", amount: 5, comment: "for 4111 1111 1111 1111" }),
      points("nina", { transaction_id: "t-4", amount: 5 }),
    ]);
    await readAll(topic, 5n);
    const letters = await bench.database.db.select().from(deadLetters).where(eq(deadLetters.topic, topic)).orderBy(deadLetters.offset);
    expect(letters.map(({ code, identity }) => [code, identity])).toEqual([
      ["CONFLICT", `event:${topic}@0:1`],
      ["INVALID_AMOUNT", `event:${topic}#t-2`],
      ["CARD_DATA_REFUSED", `event:${topic}#t-3`],
    ]);
    expect(await pointsOf("nina")).toBe(10n);
  });
});
