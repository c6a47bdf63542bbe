import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { disputeOperation, disputeReversalOperation, refundReversalOperation } from "../../domain/ledger/dispute-operations.ts";
import {
  captureHoldOperation,
  placeHoldOperation,
  refundOrderOperation,
  releaseHoldOperation,
} from "../../domain/ledger/hold-operations.ts";
import type { Operation, OperationKind } from "../../domain/ledger/operations.ts";
import {
  depositOperation,
  pointsOperation,
  purchaseOperation,
  transferOperation,
  withdrawalOperation,
} from "../../domain/ledger/wallet-operations.ts";
import { createDatabase, type Database } from "../postgres/database.ts";
import { createLedger, type Ledger } from "./ledger.ts";

let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "test", laneCount: 1, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "test", laneCount: 1, deadlineMs: 10_000 });
});
afterAll(async () => {
  await ledger.close();
  await database.close();
  await testDatabase.drop();
});

const by = (key: string) => ({ key, userId: "ann", comment: key, origin: { caller: "test", correlationId: "c" } });
const movement = (key: string, amountMinor = 100n, currency = "RUB") => ({ ...by(key), currency, amountMinor });
const hold = (holdId: string, key: string) => ({ ...by(key), holdId, currency: "RUB", serviceId: "s", orderId: "o" });
const place = (holdId: string) =>
  placeHoldOperation({ ...hold(holdId, `hold-${holdId}`), amountMinor: 100n, expiresAt: "2099-01-01T00:00:00Z", requestHash: "h" });
const points = (type: "accrual" | "redemption") =>
  pointsOperation({ ...movement(type, 5n, "PTS"), type, occurredAt: "2024-01-01T00:00:00Z" });
const purchase = purchaseOperation({ ...movement("charge"), paymentMethod: "card", occurredAt: "2024-01-01T00:00:00Z" });
const refund = refundOrderOperation({
  ...by("refund"),
  currency: "RUB",
  orderId: "o",
  paymentMethod: "wallet",
  lines: [{ lineNo: 1, serviceId: "unassigned", amountMinor: "100" }],
});

const late = (key: string) => ({
  ...by(key),
  currency: "RUB",
  orderId: "o",
  effectiveAt: "2024-01-01T00:00:00Z",
  lines: [{ lineNo: 1, serviceId: "unassigned", amountMinor: "100" }],
});

/** Every kind there is: a new one does not compile without its line here. */
const OF_EACH_KIND: Readonly<Record<OperationKind, readonly Operation[]>> = {
  deposit: [depositOperation(movement("deposit", 10_000n))],
  withdrawal: [withdrawalOperation(movement("withdrawal"))],
  transfer: [transferOperation({ ...movement("transfer"), peerUserId: "ben" })],
  hold: [place("h-1"), place("h-2"), place("h-3")],
  capture: [captureHoldOperation({ ...hold("h-1", "capture"), amountMinor: "remainder" })],
  release: [releaseHoldOperation({ ...hold("h-2", "release"), effect: "release" })],
  expiry: [releaseHoldOperation({ ...hold("h-3", "expiry"), effect: "expire" })],
  charge: [purchase],
  refund: [refund],
  accrual: [points("accrual")],
  redemption: [points("redemption")],
  dispute: [disputeOperation(late("dispute"))],
  dispute_reversal: [disputeReversalOperation(late("dispute_reversal"))],
  refund_reversal: [refundReversalOperation(late("refund_reversal"))],
};

it("every operation of every kind puts one notification for each user it concerns into the outbox, and a refusal or a repeat none", async () => {
  const operations = Object.values(OF_EACH_KIND).flat();
  for (const operation of operations)
    expect(await ledger.post(operation), operation.key).toMatchObject({ outcome: "done", duplicate: false });
  for (const operation of operations) expect(await ledger.post(operation), operation.key).toMatchObject({ duplicate: true });
  expect(await ledger.post(withdrawalOperation(movement("too much", 10_000_000n)))).toMatchObject({ outcome: "refused" });

  const rows = await database.db.execute<{ key: string; told: string }>(`
    select o.key, (select json_agg(x.message_key order by x.id)::text from outbox x where x.operation_id = o.id and x.topic = 'notifications') as told
      from operations o order by o.id`);
  const told = Object.fromEntries([...rows].map(({ key, told: users }) => [key, JSON.parse(users ?? "[]") as string[]]));
  expect(told).toEqual({
    ...Object.fromEntries(operations.map(({ key, peerUserId }) => [key, peerUserId === undefined ? ["ann"] : ["ann", peerUserId]])),
    "too much": [],
  });
});
