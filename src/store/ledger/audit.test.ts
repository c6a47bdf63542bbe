import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import {
  captureHoldOperation,
  captureOrderOperation,
  holdOrderOperation,
  placeHoldOperation,
  releaseHoldOperation,
  releaseOrderOperation,
} from "../../domain/ledger/hold-operations.ts";
import { depositOperation, purchaseOperation, transferOperation, withdrawalOperation } from "../../domain/ledger/wallet-operations.ts";
import { createDatabase, type Database } from "../postgres/database.ts";
import { auditBooks, type InvariantId } from "./audit.ts";
import { createLedger, type Ledger } from "./ledger.ts";

const origin = { caller: "test", correlationId: "test" };
const money = { currency: "RUB", comment: "test", origin };
const soon = () => new Date(Date.now() + 600_000).toISOString();
let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let admin: postgres.Sql;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "audit-test", laneCount: 1, deadlineMs: 20_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "audit-test", laneCount: 1, deadlineMs: 10_000 });
  admin = postgres(testDatabase.adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  await fillBooks();
});

afterAll(async () => {
  await ledger.close();
  await database.close();
  await admin.end({ timeout: 5 });
  await testDatabase.drop();
});

/** Money of every kind, so that no invariant holds for want of anything to check. */
async function fillBooks(): Promise<void> {
  const hold = { holdId: "hold-1", userId: "ann", serviceId: "cleaning", orderId: "o-1", ...money };
  const lines = [
    { lineNo: 1, serviceId: "cleaning", quantity: 1, amountMinor: "300" },
    { lineNo: 2, serviceId: "delivery", quantity: 2, amountMinor: "200" },
  ];
  const order = (orderId: string) => ({ orderId, userId: "ann", lines, ...money });
  for (const orderId of ["paid", "failed"]) {
    await admin`insert into orders (id, user_id, status, saga_state, currency, total_minor, payment_method, comment, request_hash, workflow_id, caller, correlation_id, created_at, updated_at)
                values (${orderId}, 'ann', 'PENDING', 'PAYMENT_PENDING', 'RUB', 500, 'wallet', '', 'h', ${orderId}, 'test', 'test', now(), now())`;
  }
  const outcomes = [];
  for (const operation of [
    depositOperation({ key: "d-1", userId: "ann", amountMinor: 100_000n, ...money }),
    depositOperation({ key: "d-2", userId: "bob", amountMinor: 50n, ...money }),
    transferOperation({ key: "t-1", userId: "ann", peerUserId: "bob", amountMinor: 1_000n, ...money }),
    withdrawalOperation({ key: "w-1", userId: "bob", amountMinor: 2_000_000n, ...money }),
    placeHoldOperation({ key: "h-1", amountMinor: 900n, expiresAt: soon(), requestHash: "h", ...hold }),
    captureHoldOperation({ key: "c-1", amountMinor: 400n, ...hold }),
    placeHoldOperation({ key: "h-2", amountMinor: 700n, expiresAt: soon(), requestHash: "h", ...hold, holdId: "hold-2" }),
    releaseHoldOperation({ key: "r-2", effect: "expire", ...hold, holdId: "hold-2" }),
    purchaseOperation({
      key: "p-1",
      userId: "eve",
      amountMinor: 1_177n,
      paymentMethod: "credit_card",
      occurredAt: "1997-01-12T00:00:00Z",
      ...money,
      currency: "USD",
    }),
    holdOrderOperation({ key: "oh-1", expiresAt: soon(), requestHash: "h", ...order("paid") }),
    captureOrderOperation({
      key: "oc-1",
      orderChange: { orderId: "paid", from: "PAYMENT_PENDING", to: "COMPLETED", status: "CONFIRMED" },
      ...order("paid"),
    }),
    holdOrderOperation({ key: "oh-2", expiresAt: soon(), requestHash: "h", ...order("failed") }),
    releaseOrderOperation({
      key: "or-2",
      orderChange: { orderId: "failed", from: "PAYMENT_PENDING", to: "FAILED", status: "CANCELLED" },
      ...order("failed"),
    }),
  ])
    outcomes.push((await ledger.post(operation)).outcome);
  expect(outcomes.filter((outcome) => outcome !== "done")).toEqual(["refused"]);
}

const brokenNow = async (): Promise<InvariantId[]> =>
  (await auditBooks(database.db)).findings.filter((finding) => finding.broken > 0n).map((finding) => finding.invariant);

describe("the audit of the books", () => {
  it("finds nothing wrong in what the ledger wrote, and has checked something of each kind", async () => {
    const report = await auditBooks(database.db);
    expect(report.findings.flatMap((finding) => finding.examples)).toEqual([]);
    expect(report.ok).toBe(true);
    for (const finding of report.findings) expect(finding.checked).toBeGreaterThan(0n);
  });

  it("finds nothing wrong in books that are empty", async () => {
    const empty = await createTestDatabase();
    const emptyDatabase = createDatabase({ url: empty.appUrl, name: "audit-test", laneCount: 1, deadlineMs: 20_000 });
    try {
      expect((await auditBooks(emptyDatabase.db)).ok).toBe(true);
    } finally {
      await emptyDatabase.close();
      await empty.drop();
    }
  });
});

/** Each forgery breaks the books past all guards of the database; the audit must name the invariant. `undo` puts it back. */
const FORGERIES: readonly { what: string; breaks: InvariantId; by: string; undo: string }[] = [
  {
    what: "a done operation without postings",
    breaks: "I1",
    by: "update operations set outcome = 'done', refusal_code = null where key = 'w-1'",
    undo: "update operations set outcome = 'refused', refusal_code = 'INSUFFICIENT_FUNDS' where key = 'w-1'",
  },
  {
    what: "a refused operation that has postings",
    breaks: "I1",
    by: "update operations set outcome = 'refused', refusal_code = 'INSUFFICIENT_FUNDS' where key = 't-1'",
    undo: "update operations set outcome = 'done', refusal_code = null where key = 't-1'",
  },
  {
    what: "an operation of another amount than its postings",
    breaks: "I1",
    by: "update operations set amount_minor = amount_minor + 1 where key = 't-1'",
    undo: "update operations set amount_minor = amount_minor - 1 where key = 't-1'",
  },
  {
    what: "a posting in another currency",
    breaks: "I1",
    by: "update postings set currency = 'EUR' where operation_id = (select id from operations where key = 't-1')",
    undo: "update postings set currency = 'RUB' where operation_id = (select id from operations where key = 't-1')",
  },
  {
    what: "money out of nowhere",
    breaks: "I1",
    by: "update accounts set balance_minor = balance_minor + 1 where kind = 'available' and owner = 'bob'",
    undo: "update accounts set balance_minor = balance_minor - 1 where kind = 'available' and owner = 'bob'",
  },
  {
    what: "money moved between two accounts without a posting",
    breaks: "I2",
    by: "update accounts set balance_minor = balance_minor + case owner when 'bob' then 5 else -5 end where kind = 'available' and owner in ('ann', 'bob')",
    undo: "update accounts set balance_minor = balance_minor - case owner when 'bob' then 5 else -5 end where kind = 'available' and owner in ('ann', 'bob')",
  },
  {
    what: "an account version without a posting",
    breaks: "I2",
    by: "update accounts set version = version + 1 where kind = 'available' and owner = 'bob'",
    undo: "update accounts set version = version - 1 where kind = 'available' and owner = 'bob'",
  },
  {
    what: "a gap in the versions of the postings",
    breaks: "I2",
    by: "update postings set credit_version = credit_version + 100 where operation_id = (select id from operations where key = 't-1')",
    undo: "update postings set credit_version = credit_version - 100 where operation_id = (select id from operations where key = 't-1')",
  },
  {
    what: "a posting with a wrong balance after it",
    breaks: "I2",
    by: "update postings set debit_balance_minor = debit_balance_minor + 1 where operation_id = (select id from operations where key = 't-1')",
    undo: "update postings set debit_balance_minor = debit_balance_minor - 1 where operation_id = (select id from operations where key = 't-1')",
  },
  {
    what: "a hold that says it captured more",
    breaks: "I3",
    by: "update holds set captured_minor = captured_minor + 1 where id = 'hold-1'",
    undo: "update holds set captured_minor = captured_minor - 1 where id = 'hold-1'",
  },
  {
    what: "a hold that is not there",
    breaks: "I3",
    by: "create table hold_copy as select * from holds where id = 'hold-1'; delete from holds where id = 'hold-1'",
    undo: "insert into holds select * from hold_copy; drop table hold_copy",
  },
  {
    what: "an account that was below zero for a moment",
    breaks: "I4",
    by: "update postings set credit_balance_minor = -1 where operation_id = (select id from operations where key = 'd-2')",
    undo: "update postings set credit_balance_minor = 50 where operation_id = (select id from operations where key = 'd-2')",
  },
  {
    what: "a hold left open past its time",
    breaks: "I5",
    by: "update holds set expires_at = expires_at - interval '1 day' where id = 'hold-1'",
    undo: "update holds set expires_at = expires_at + interval '1 day' where id = 'hold-1'",
  },
  {
    what: "a failed order that kept the money",
    breaks: "I5",
    by: "update orders set saga_state = 'FAILED', status = 'CANCELLED' where id = 'paid'",
    undo: "update orders set saga_state = 'COMPLETED', status = 'CONFIRMED' where id = 'paid'",
  },
  {
    what: "a completed order that never captured",
    breaks: "I5",
    by: "update orders set saga_state = 'COMPLETED', status = 'CONFIRMED' where id = 'failed'",
    undo: "update orders set saga_state = 'FAILED', status = 'CANCELLED' where id = 'failed'",
  },
  {
    what: "a captured order that is still waiting for its payment",
    breaks: "I5",
    by: "update orders set saga_state = 'PAYMENT_PENDING', status = 'PENDING' where id = 'paid'",
    undo: "update orders set saga_state = 'COMPLETED', status = 'CONFIRMED' where id = 'paid'",
  },
];

describe("a forgery", () => {
  const forge = (statements: string) =>
    admin.unsafe(`set session_replication_role = replica; ${statements}; set session_replication_role = origin`);

  it.each(FORGERIES)("is found as $breaks: $what", async (forgery) => {
    await forge(forgery.by);
    const found = await brokenNow();
    await forge(forgery.undo);
    expect(found).toContain(forgery.breaks);
    expect(await brokenNow()).toEqual([]);
  });
});
