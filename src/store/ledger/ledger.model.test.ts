import fc from "fast-check";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLedgerModel } from "../../../test/support/ledger-model.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { captureHoldOperation, placeHoldOperation, releaseHoldOperation } from "../../domain/ledger/hold-operations.ts";
import type { Operation } from "../../domain/ledger/operations.ts";
import { depositOperation, purchaseOperation, transferOperation, withdrawalOperation } from "../../domain/ledger/wallet-operations.ts";
import { createLedger, type Ledger, type PostResult } from "./ledger.ts";

let database: TestDatabase;
let ledger: Ledger;
let sql: postgres.Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  ledger = createLedger({ url: database.appUrl, name: "ledger-model", laneCount: 1, deadlineMs: 20_000 });
  sql = postgres(database.adminUrl, { max: 1, onnotice: () => {} });
});

afterAll(async () => {
  await ledger.close();
  await sql.end();
  await database.drop();
});

interface Command {
  readonly kind: "deposit" | "withdrawal" | "transfer" | "purchase" | "hold" | "capture" | "capture all" | "release" | "expire";
  readonly user: number;
  readonly peer: number;
  readonly hold: number;
  /** Tries another user's hold. */
  readonly stranger: boolean;
  readonly amountMinor: bigint;
  readonly currency: string;
  /** Small, so that keys come again: with the same content and with other content. */
  readonly key: number;
}

const command: fc.Arbitrary<Command> = fc.record({
  kind: fc.constantFrom(
    "deposit",
    "deposit",
    "deposit",
    "withdrawal",
    "transfer",
    "purchase",
    "hold",
    "hold",
    "capture",
    "capture all",
    "release",
    "expire",
  ),
  user: fc.integer({ min: 0, max: 2 }),
  peer: fc.integer({ min: 3, max: 4 }),
  hold: fc.integer({ min: 0, max: 1 }),
  stranger: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  amountMinor: fc.oneof(
    { weight: 12, arbitrary: fc.bigInt({ min: 1n, max: 300n }) },
    { weight: 1, arbitrary: fc.constant(999_999_999_999n) },
  ),
  currency: fc.constantFrom("RUB", "RUB", "RUB", "RUB", "RUB", "USD"),
  key: fc.integer({ min: 0, max: 200 }),
});

function toOperation(run: number, { kind, user, peer, hold, stranger, amountMinor, currency, key }: Command): Operation {
  const userId = `r${run}-u${user}`;
  const request = { key: `r${run}-k${key}`, comment: kind, origin: { caller: "test", correlationId: "model" } };
  const money = { ...request, userId, currency, amountMinor };
  const owner = {
    ...request,
    holdId: `r${run}-h${stranger ? (user + 1) % 3 : user}-${hold}`,
    userId,
    serviceId: `r${run}-s`,
    orderId: "o",
    currency,
  };
  switch (kind) {
    case "deposit":
      return depositOperation(money);
    case "withdrawal":
      return withdrawalOperation(money);
    case "transfer":
      return transferOperation({ ...money, peerUserId: `r${run}-u${peer}` });
    case "purchase":
      return purchaseOperation({
        ...money,
        paymentMethod: user === 0 ? "credit_card" : "wallet",
        occurredAt: "2026-01-31T23:59:59Z",
        serviceId: `r${run}-s`,
      });
    case "hold":
      return placeHoldOperation({ ...owner, amountMinor, expiresAt: "2030-01-01T00:00:00Z", requestHash: `${amountMinor}` });
    case "capture":
      return captureHoldOperation({ ...owner, amountMinor });
    case "capture all":
      return captureHoldOperation({ ...owner, amountMinor: "remainder" });
    case "release":
      return releaseHoldOperation({ ...owner, effect: "release" });
    case "expire":
      return releaseHoldOperation({ ...owner, effect: "expire" });
  }
}

function comparable(result: PostResult): unknown {
  if (result.outcome === "conflict") return { outcome: result.outcome };
  return result.outcome === "done"
    ? { outcome: result.outcome, duplicate: result.duplicate }
    : { outcome: result.outcome, duplicate: result.duplicate, code: result.code };
}

describe("the ledger against its model", () => {
  it("decides every sequence of operations as the model does and ends with the same balances and holds", async () => {
    let run = 0;
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(command, { minLength: 1, maxLength: 8 }), { minLength: 3, maxLength: 14 }), async (batches) => {
        run += 1;
        const model = createLedgerModel();
        for (const batch of batches) {
          const operations = batch.map((one) => toOperation(run, one));
          const results = await ledger.postAll(operations);
          for (const [place, operation] of operations.entries()) {
            const expected = model.post(operation);
            seen.add("code" in expected ? expected.code : expected.outcome);
            expect(comparable(results[place] as PostResult), JSON.stringify(operations.map((o) => [o.key, o.kind]))).toEqual(expected);
          }
        }
        const accounts = await sql`select kind, owner, currency, balance_minor from accounts where owner like ${`r${run}-%`}`;
        for (const account of accounts)
          expect(BigInt(account["balance_minor"] as string), JSON.stringify(account)).toBe(
            model.balances.get(`${account["kind"]}/${account["owner"]}/${account["currency"]}`) ?? 0n,
          );
        const holds = await sql`select id, status, amount_minor, captured_minor, released_minor from holds where id like ${`r${run}-%`}`;
        expect(holds.length).toBe(model.holds.size);
        for (const hold of holds)
          expect({ status: hold["status"], captured: hold["captured_minor"], released: hold["released_minor"] }).toEqual({
            status: model.holds.get(hold["id"] as string)?.status,
            captured: model.holds.get(hold["id"] as string)?.capturedMinor.toString(),
            released: model.holds.get(hold["id"] as string)?.releasedMinor.toString(),
          });
      }),
      { numRuns: 150 },
    );
    for (const outcome of [
      "done",
      "conflict",
      "INSUFFICIENT_FUNDS",
      "ALREADY_CONFIRMED",
      "ALREADY_RELEASED",
      "RESERVATION_EXPIRED",
      "RESERVATION_NOT_FOUND",
      "AMOUNT_EXCEEDS_HOLD",
      "CONFLICT",
    ])
      expect(seen, `the sequences must reach ${outcome}`).toContain(outcome);
  });

  it("keeps versions without a gap and running balances equal to the sums of the postings", async () => {
    const [broken] = await sql`
      with sides as (
        select debit_account as account, debit_version as version, -amount_minor as change, debit_balance_minor as balance from postings
        union all
        select credit_account, credit_version, amount_minor, credit_balance_minor from postings
      ), running as (
        select account, version, balance, row_number() over w as place, sum(change) over w as total from sides window w as (partition by account order by version)
      )
      select count(*) filter (where version <> place) as gaps, count(*) filter (where balance <> total) as wrong, count(*) as sides from running`;
    expect(broken).toMatchObject({ gaps: "0", wrong: "0" });
    expect(Number(broken?.["sides"])).toBeGreaterThan(500);
  });
});
