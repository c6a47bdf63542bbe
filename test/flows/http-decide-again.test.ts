import { afterAll, beforeAll, expect, it } from "vitest";
import { eventKey } from "../../src/contract/ids.ts";
import { depositOperation, pointsOperation, purchaseOperation, withdrawalOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { findReceipt } from "../../src/store/events/receipts.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;
let ledger: Ledger;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
  ledger = createLedger({ url: database.appUrl, name: "again", laneCount: 2, deadlineMs: 10_000 });
});
afterAll(async () => {
  await ledger.close();
  await api.close();
  await database.drop();
});

const occurredAt = "2024-03-01T12:00:00.000Z";
const origin = (offset: string) => ({ caller: "kafka", correlationId: "c", position: { topic: "loyalty", partition: 0, offset } });
const movement = (userId: string, offset: string, currency = "PTS") => ({
  key: eventKey({ topic: "loyalty", partition: 0, offset }, undefined),
  userId,
  currency,
  amountMinor: 30n,
  comment: "a cup",
  origin: origin(offset),
});
const again = (operationId: string) =>
  api.call("POST", `/api/v1/operations/${operationId}/decisions`, { body: { reason: "the accrual came later" } });
const receiptAt = (offset: string) => findReceipt(api.db, { topic: "loyalty", partition: 0, offset });

async function refuse(operation: Parameters<Ledger["post"]>[0]): Promise<string> {
  const result = await ledger.post(operation);
  expect(result.outcome).toBe("refused");
  return result.operationId;
}

it("a redemption that was read before its accrual is decided once more, takes effect once, and the receipt tells of it", async () => {
  const refused = await refuse(pointsOperation({ ...movement("ann", "1"), type: "redemption", occurredAt }));
  expect((await again(refused)).body["code"]).toBe("INSUFFICIENT_FUNDS");
  await ledger.post(pointsOperation({ ...movement("ann", "2"), amountMinor: 50n, type: "accrual", occurredAt }));
  const answers = await Promise.all([again(refused), again(refused), again(refused)]);
  const ids = new Set(answers.map(({ body }) => body["operationId"]));
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
  expect(ids.size).toBe(1);
  expect((await again(refused)).body["operationId"]).toBe([...ids][0]);
  expect(answers[0]?.body).toMatchObject({
    kind: "redemption",
    amount: "30",
    effectiveAt: occurredAt,
    event: { topic: "loyalty", offset: "1" },
  });
  expect(await receiptAt("1")).toMatchObject({ outcome: "applied", operationId: [...ids][0] });
  expect((await api.call("GET", "/api/v1/operations/" + refused)).body).toMatchObject({ status: "refused" });
  const acts = await api.db.execute<{ reason: string }>(`select reason from acts where act = 'operation.decided-again'`);
  expect([...acts]).toHaveLength(5);
});

it("a purchase by wallet that was read before the deposit is decided once more, with its service and its date", async () => {
  const refused = await refuse(
    purchaseOperation({ ...movement("ben", "3", "RUB"), paymentMethod: "wallet", occurredAt, serviceId: "music", orderId: "42" }),
  );
  await ledger.post(depositOperation({ ...movement("ben", "4", "RUB"), key: "deposit-ben" }));
  expect((await again(refused)).body).toMatchObject({
    kind: "charge",
    status: "done",
    serviceId: "music",
    orderId: "42",
    effectiveAt: occurredAt,
  });
});

it("what was done, what is no event and what is nothing is not decided again", async () => {
  const { position: _position, ...byRequest } = origin("5");
  const withdrawal = await refuse(withdrawalOperation({ ...movement("cid", "5"), key: "w", origin: byRequest }));
  const done = await ledger.post(pointsOperation({ ...movement("cid", "6"), type: "accrual", occurredAt }));
  const answers = await Promise.all([withdrawal, done.operationId, "999999", "no-id"].map(again));
  expect(answers.map(({ status, body }) => [status, body["code"]])).toEqual([
    [409, "ACT_NOT_POSSIBLE"],
    [409, "ACT_NOT_POSSIBLE"],
    [404, "OPERATION_NOT_FOUND"],
    [404, "OPERATION_NOT_FOUND"],
  ]);
});
