import fc from "fast-check";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { placeHoldOperation, releaseHoldOperation } from "../../domain/ledger/hold-operations.ts";
import type { Operation } from "../../domain/ledger/operations.ts";
import { depositOperation, transferOperation, withdrawalOperation } from "../../domain/ledger/wallet-operations.ts";
import { createDatabase, type Database } from "../postgres/database.ts";
import { readBalancesAt } from "./balance-at.ts";
import { createLedger, type Ledger } from "./ledger.ts";

let database: TestDatabase;
let connection: Database;
let ledger: Ledger;
let sql: postgres.Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  connection = createDatabase({ url: database.appUrl, name: "balance-at", laneCount: 2, deadlineMs: 20_000 });
  ledger = createLedger({ url: database.appUrl, name: "balance-at", laneCount: 2, deadlineMs: 20_000 });
  sql = postgres(database.adminUrl, { max: 1, onnotice: () => {} });
});

afterAll(async () => {
  await Promise.all([connection.close(), ledger.close(), sql.end()]);
  await database.drop();
});

const users = ["u0", "u1", "u2"];
const kinds = ["deposit", "deposit", "withdrawal", "transfer", "hold", "release"] as const;

function operation(count: number, kind: (typeof kinds)[number], user: number, amountMinor: bigint, currency: string): Operation {
  const userId = users[user] ?? "u0";
  const common = { key: `k${count}`, userId, currency, amountMinor, comment: kind, origin: { caller: "test", correlationId: "c" } };
  switch (kind) {
    case "deposit":
      return depositOperation(common);
    case "withdrawal":
      return withdrawalOperation(common);
    case "transfer":
      return transferOperation({ ...common, peerUserId: users[(user + 1) % users.length] ?? "u1" });
    case "hold":
      return placeHoldOperation({
        ...common,
        holdId: `h${count % 20}`,
        serviceId: "s",
        orderId: "o",
        expiresAt: "2030-01-01T00:00:00Z",
        requestHash: "r",
      });
    case "release":
      return releaseHoldOperation({ ...common, holdId: `h${count % 20}`, serviceId: "s", orderId: "o", effect: "release" });
  }
}

interface Side {
  readonly owner: string;
  readonly currency: string;
  readonly kind: "available" | "held";
  readonly change: string;
  readonly recorded_at: string;
}

/** What the postings up to the moment add up to. */
function replay(sides: readonly Side[], userId: string, at: string) {
  const totals = new Map<string, { availableMinor: bigint; heldMinor: bigint }>();
  for (const side of sides) {
    if (side.owner !== userId || side.recorded_at > at) continue;
    const total = totals.get(side.currency) ?? { availableMinor: 0n, heldMinor: 0n };
    if (side.kind === "available") total.availableMinor += BigInt(side.change);
    else total.heldMinor += BigInt(side.change);
    totals.set(side.currency, total);
  }
  return [...totals]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([currency, { availableMinor, heldMinor }]) => ({ currency, availableMinor, heldMinor }));
}

describe("a balance at a moment in the past", () => {
  it("is what the postings up to that moment add up to, at every moment", async () => {
    let count = 0;
    const commands = fc.sample(
      fc.record({
        kind: fc.constantFrom(...kinds),
        user: fc.integer({ min: 0, max: 2 }),
        amountMinor: fc.bigInt({ min: 1n, max: 500n }),
        currency: fc.constantFrom("RUB", "RUB", "USD"),
      }),
      { numRuns: 400, seed: 4 },
    );
    for (let place = 0; place < commands.length; place += 10)
      await Promise.all(
        commands
          .slice(place, place + 10)
          .map(({ kind, user, amountMinor, currency }) => ledger.post(operation((count += 1), kind, user, amountMinor, currency))),
      );
    const text = `to_char(p.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as recorded_at`;
    const sides = await sql.unsafe<Side[]>(`
      select a.owner, a.currency, a.kind, s.change, ${text} from (
        select debit_account as account, -amount_minor as change, recorded_at from postings
        union all select credit_account, amount_minor, recorded_at from postings) p(account, change, recorded_at)
      cross join lateral (select p.change) s(change)
      join accounts a on a.id = p.account where a.kind in ('available', 'held')`);
    const moments = [...new Set(sides.map(({ recorded_at }) => recorded_at))];
    expect(moments.length).toBeGreaterThan(30);
    const almost = (moment: string, micros: number) => {
      const shifted = BigInt(Date.parse(`${moment.slice(0, -4)}Z`)) * 1000n + BigInt(moment.slice(-4, -1)) + BigInt(micros);
      return `${new Date(Number(shifted / 1000n)).toISOString().slice(0, -1)}${String(shifted % 1000n).padStart(3, "0")}Z`;
    };
    for (const moment of ["2020-01-01T00:00:00.000000Z", ...moments.flatMap((one) => [almost(one, -1), one, almost(one, 1)])])
      for (const userId of users)
        expect(await readBalancesAt(connection.db, { userId, at: moment }), `${userId} at ${moment}`).toEqual(
          replay(sides, userId, moment),
        );
  });

  it("is refused for a moment that has not come", async () => {
    const at = new Date(Date.now() + 60_000).toISOString();
    await expect(readBalancesAt(connection.db, { userId: "u0", at })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { pointer: "at" },
    });
  });

  it("is found through the two unique indexes, a few rows however long the history is", async () => {
    const before = await sql`select idx_scan from pg_stat_user_indexes where indexrelname = 'postings_debit_version'`;
    const [account] = await sql`select id, version from accounts where kind = 'external' and currency = 'RUB'`;
    expect(Number(account?.["version"])).toBeGreaterThan(100);
    const [found] =
      await sql`select balance_at(${account?.["id"] as string}, now()) as balance, (select balance_minor from accounts where id = ${account?.["id"] as string}) as now`;
    expect(found?.["balance"]).toBe(found?.["now"]);
    await sql`select pg_stat_force_next_flush()`;
    const after = await sql`select idx_scan from pg_stat_user_indexes where indexrelname = 'postings_debit_version'`;
    const scans = Number(after[0]?.["idx_scan"]) - Number(before[0]?.["idx_scan"]);
    expect(scans).toBeGreaterThan(3);
    expect(scans).toBeLessThan(20);
  });
});
