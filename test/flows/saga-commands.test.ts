import { randomUUID } from "node:crypto";
import { asc, eq, and } from "drizzle-orm";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deadLetters } from "../../drizzle/schema/events.ts";
import { operations } from "../../drizzle/schema/ledger.ts";
import { outbox } from "../../drizzle/schema/outbox.ts";
import { sagaCommandTopic } from "../../src/ingest/saga-topics.ts";
import { findReceipt } from "../../src/store/events/receipts.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createBridgeBench, eventMessage, type BridgeBench } from "../support/bridge.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";
import { until } from "../support/until.ts";

let saga: SagaBench;
let bench: BridgeBench;

beforeAll(async () => {
  saga = await openSagaBench({ redisUrl: undefined });
  bench = await createBridgeBench(saga);
});

afterAll(async () => {
  await bench.close();
  await saga.close();
});

const command = (sagaId: string, name: "CHARGE" | "REFUND", change: Readonly<Record<string, unknown>> = {}) =>
  eventMessage(sagaId, {
    saga_id: sagaId,
    command: name,
    order_id: `order-${sagaId}`,
    user_id: `user-${sagaId}`,
    amount: "40.00",
    ...change,
  });

async function readAll(topic: string, count: bigint): Promise<void> {
  const group = `group-${randomUUID().slice(0, 8)}`;
  const kind = sagaCommandTopic({ starters: saga.starters, defaultCurrency: "RUB" }, topic);
  const bridge = await bench.startBridge({ topic, group, kind });
  await until("everything is committed", async () => (await bench.committed(group, topic)) >= count);
  await bridge.stop();
  expect(bridge.crashes).toEqual([]);
}

async function repliesTo(sagaId: string): Promise<Record<string, unknown>[]> {
  const rows = await saga.database.db
    .select()
    .from(outbox)
    .where(and(eq(outbox.topic, "saga.replies"), eq(outbox.aggregateId, sagaId)))
    .orderBy(asc(outbox.id));
  for (const { rawKey } of rows) expect(rawKey?.toString()).toBe(sagaId);
  return rows.map(({ rawValue }) => JSON.parse(String(rawValue)) as Record<string, unknown>);
}

const balanceOf = async (sagaId: string) => (await saga.balanceOf(`user-${sagaId}`))?.availableMinor;
const receiptOf = (topic: string, offset: number) => findReceipt(saga.database.db, { topic, partition: 0, offset: String(offset) });
const lettersOf = (topic: string) =>
  saga.database.db.select().from(deadLetters).where(eq(deadLetters.topic, topic)).orderBy(deadLetters.offset);

/** Writes a service's revenue past the ledger, as nobody but a test may. */
async function setRevenue(serviceId: string, balanceMinor: bigint): Promise<void> {
  const admin = postgres(saga.adminUrl, { max: 1, onnotice: () => undefined });
  const rows = await admin`update accounts set balance_minor = ${balanceMinor.toString()}
    where kind = 'revenue' and owner = ${serviceId} returning id`;
  await admin.end();
  expect(rows).toHaveLength(1);
}

describe("the payment side of saga.commands", () => {
  it("charges the wallet once and gives it back once, and answers a repeat as it answered first", async () => {
    const [topic, sagaId] = [await bench.newTopic(), randomUUID()];
    await saga.fund(`user-${sagaId}`, 10_000n);
    await bench.producer.send(topic, [command(sagaId, "CHARGE"), command(sagaId, "CHARGE")]);
    await readAll(topic, 2n);
    expect(await balanceOf(sagaId)).toBe(6_000n);
    await bench.producer.send(topic, [command(sagaId, "REFUND"), command(sagaId, "REFUND")]);
    await readAll(topic, 4n);
    expect(await balanceOf(sagaId)).toBe(10_000n);

    const [charge] = await saga.database.db
      .select()
      .from(operations)
      .where(eq(operations.key, `saga-command/${sagaId}/CHARGE`));
    expect(charge).toMatchObject({ kind: "charge", outcome: "done", orderId: `order-${sagaId}` });
    expect(await receiptOf(topic, 0)).toMatchObject({
      outcome: "started",
      workflowId: `saga-command/${sagaId}/CHARGE`,
      operationId: String(charge?.id),
    });
    const replies = await repliesTo(sagaId);
    const known = { saga_id: sagaId, order_id: `order-${sagaId}`, status: "SUCCEEDED", payment_id: String(charge?.id), error: null };
    expect(replies.slice(0, 2)).toEqual([
      { ...known, command: "CHARGE" },
      { ...known, command: "CHARGE" },
    ]);
    expect(replies.slice(-2)).toEqual([
      { ...known, command: "REFUND" },
      { ...known, command: "REFUND" },
    ]);
  });

  it("answers FAILED when the wallet does not cover it, for ever, and that is no dead letter", async () => {
    const [topic, sagaId] = [await bench.newTopic(), randomUUID()];
    await bench.producer.send(topic, [command(sagaId, "CHARGE")]);
    await readAll(topic, 1n);
    await saga.fund(`user-${sagaId}`, 10_000n);
    await readAll(topic, 1n);
    const replies = await repliesTo(sagaId);
    expect(replies).toHaveLength(2);
    for (const reply of replies)
      expect(reply).toMatchObject({ status: "FAILED", payment_id: null, error: expect.stringMatching(/^INSUFFICIENT_FUNDS/) as string });
    expect(await balanceOf(sagaId)).toBe(10_000n);
    expect(await receiptOf(topic, 0)).toMatchObject({ outcome: "refused", code: "INSUFFICIENT_FUNDS" });
    expect(await lettersOf(topic)).toEqual([]);
  });

  it("never charges what was refunded before: the late CHARGE is answered FAILED", async () => {
    const [topic, sagaId] = [await bench.newTopic(), randomUUID()];
    await saga.fund(`user-${sagaId}`, 10_000n);
    await bench.producer.send(topic, [command(sagaId, "REFUND"), command(sagaId, "CHARGE"), command(sagaId, "REFUND")]);
    await readAll(topic, 3n);
    expect(await balanceOf(sagaId)).toBe(10_000n);
    expect((await repliesTo(sagaId)).map(({ command: name, status }) => [name, status])).toEqual([
      ["REFUND", "SUCCEEDED"],
      ["CHARGE", "FAILED"],
      ["REFUND", "SUCCEEDED"],
    ]);
  });

  it("dead-letters the same saga's command with other content to dlq.saga, and does not answer it", async () => {
    const [topic, sagaId] = [await bench.newTopic(), randomUUID()];
    await saga.fund(`user-${sagaId}`, 10_000n);
    await bench.producer.send(topic, [
      command(sagaId, "CHARGE"),
      command(sagaId, "CHARGE", { amount: "41.00" }),
      eventMessage(sagaId, { saga_id: sagaId }),
    ]);
    await readAll(topic, 3n);
    expect(await balanceOf(sagaId)).toBe(6_000n);
    expect(await lettersOf(topic)).toMatchObject([{ code: "CONFLICT" }, { code: "INVALID_EVENT" }]);
    expect(await repliesTo(sagaId)).toHaveLength(1);
    const copies = await saga.database.db
      .select({ topic: outbox.topic, headers: outbox.headers })
      .from(outbox)
      .where(eq(outbox.topic, "dlq.saga"));
    expect(copies.filter(({ headers }) => headers?.["topic"] === topic).map(({ headers }) => headers?.["code"])).toEqual([
      "CONFLICT",
      "INVALID_EVENT",
    ]);
  });

  it("dead-letters a REFUND with other content than its CHARGE and does not answer it, before and after the true one", async () => {
    const [topic, sagaId] = [await bench.newTopic(), randomUUID()];
    await saga.fund(`user-${sagaId}`, 10_000n);
    const other = command(sagaId, "REFUND", { amount: "39.00" });
    await bench.producer.send(topic, [command(sagaId, "CHARGE"), other, command(sagaId, "REFUND"), other]);
    await readAll(topic, 4n);
    expect(await balanceOf(sagaId)).toBe(10_000n);
    expect(await lettersOf(topic)).toMatchObject([
      { code: "CONFLICT", offset: 1n },
      { code: "CONFLICT", offset: 3n },
    ]);
    expect((await repliesTo(sagaId)).map(({ command: name, status }) => [name, status])).toEqual([
      ["CHARGE", "SUCCEEDED"],
      ["REFUND", "SUCCEEDED"],
    ]);
  });

  it("dead-letters what the ledger cannot take at all, goes on with the next, and takes it later", async () => {
    const [topic, sagaId, nextId] = [await bench.newTopic(), randomUUID(), randomUUID()];
    const serviceId = `full-${sagaId}`;
    for (const id of [sagaId, nextId]) await saga.fund(`user-${id}`, 10_000n);
    await bench.producer.send(topic, [command(nextId, "CHARGE", { service_id: serviceId, saga_id: `first-${nextId}`, amount: "1.00" })]);
    await readAll(topic, 1n);
    await setRevenue(serviceId, 2n ** 63n - 808n);
    await bench.producer.send(topic, [command(sagaId, "CHARGE", { service_id: serviceId }), command(nextId, "CHARGE")]);
    await readAll(topic, 3n);
    await setRevenue(serviceId, 100n);
    expect(await lettersOf(topic)).toMatchObject([{ code: "INTERNAL", offset: 1n, reason: expect.stringContaining("larger") as string }]);
    expect(await repliesTo(sagaId)).toEqual([]);
    expect([await balanceOf(sagaId), await balanceOf(nextId)]).toEqual([10_000n, 5_900n]);

    await bench.producer.send(topic, [command(sagaId, "CHARGE", { service_id: serviceId })]);
    await readAll(topic, 4n);
    expect((await repliesTo(sagaId)).at(-1)).toMatchObject({ status: "SUCCEEDED" });
    expect(await balanceOf(sagaId)).toBe(6_000n);
  });

  it("leaves books that add up", async () => {
    const { findings } = await auditBooks(saga.database.db);
    expect(findings.filter(({ broken }) => broken > 0n)).toEqual([]);
  });
});
