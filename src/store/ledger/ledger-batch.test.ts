import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { placeHoldOperation } from "../../domain/ledger/hold-operations.ts";
import type { Operation } from "../../domain/ledger/operations.ts";
import { depositOperation, withdrawalOperation } from "../../domain/ledger/wallet-operations.ts";
import { createDatabase } from "../postgres/database.ts";
import { auditBooks } from "./audit.ts";
import { encodeBatch } from "./ledger-batch.ts";

const CALL = "select * from ledger_post($1::text::json, $2::text::json, $3::text::json, $4::text::json, $5::text::json)";
const ORIGIN = { caller: "test", correlationId: "c-1" };
let database: TestDatabase;
let sql: postgres.Sql;
let other: postgres.Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  [sql, other] = [1, 2].map(() => postgres(database.appUrl, { max: 1, fetch_types: false, onnotice: () => {} })) as [
    postgres.Sql,
    postgres.Sql,
  ];
});

afterAll(async () => {
  await Promise.all([sql.end(), other.end()]);
  await database.drop();
});

const common = (userId: string, amountMinor: bigint) => ({
  key: randomUUID(),
  userId,
  currency: "RUB",
  amountMinor,
  comment: "a test",
  origin: ORIGIN,
});

const outcomes = async (connection: postgres.Sql, parameters: readonly (string | null)[]): Promise<unknown[]> =>
  (await connection.unsafe(CALL, [...parameters])).map((row) => row["code"] ?? row["outcome"]);

/** The texts as the release before wrote them: rows whose places count from 0. */
function asRows(texts: readonly (string | null)[]): (string | null)[] {
  const places = new Set(["firstPosting", "order", "after", "debit", "credit", "hold"]);
  return texts.map((text) => {
    if (text === null || text.startsWith("[")) return text;
    const columns = JSON.parse(text) as Record<string, unknown[]>;
    const count = Math.max(...Object.values(columns).map(({ length }) => length));
    const rows = Array.from({ length: count }, (_, place) =>
      Object.fromEntries(
        Object.entries(columns).map(([name, values]) => [
          name,
          places.has(name) && values[place] !== null ? Number(values[place]) - 1 : values[place],
        ]),
      ),
    );
    return JSON.stringify(rows);
  });
}

describe("the texts of ledger_post", () => {
  it("may be columns, or rows as a process of the release before writes them, with one effect and one set of keys", async () => {
    const seen: unknown[] = [];
    for (const form of [(texts: (string | null)[]) => texts, asRows]) {
      const userId = randomUUID();
      const hold = placeHoldOperation({
        ...common(userId, 60n),
        holdId: randomUUID(),
        serviceId: "wash",
        orderId: "o-1",
        requestHash: "h",
        expiresAt: "2030-01-01T00:00:00.000Z",
      });
      const batch: Operation[] = [depositOperation(common(userId, 100n)), hold, withdrawalOperation(common(userId, 50n))];
      const first = await outcomes(sql, form(encodeBatch(batch)));
      const again = await sql.unsafe(CALL, encodeBatch(batch));
      const [kept] = await sql.unsafe(
        "select purpose, status, service_id, amount_minor, expires_at, comment from holds where user_id = $1",
        [userId],
      );
      seen.push([first, again.map((row) => row["duplicate"]), kept]);
    }
    expect(seen[0]).toEqual([["done", "done", "INSUFFICIENT_FUNDS"], [true, true, true], expect.objectContaining({ status: "held" })]);
    expect(seen[1]).toEqual(seen[0]);
  });

  it("a call that waited for an account decides by what the other call has left of it", async () => {
    const userId = randomUUID();
    await outcomes(sql, encodeBatch([depositOperation(common(userId, 100n))]));
    await other.unsafe("begin");
    expect(await outcomes(other, encodeBatch([withdrawalOperation(common(userId, 70n))]))).toEqual(["done"]);
    const waiting = outcomes(sql, encodeBatch([withdrawalOperation(common(userId, 70n)), withdrawalOperation(common(userId, 30n))]));
    const watch = postgres(database.adminUrl, { max: 1, fetch_types: false });
    const waiters = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while ((await watch.unsafe(waiters)).length === 0) await sleep(10);
    await watch.end();
    await other.unsafe("commit");
    expect(await waiting).toEqual(["INSUFFICIENT_FUNDS", "done"]);
    const books = createDatabase({ url: database.appUrl, name: "batch-audit", laneCount: 1, deadlineMs: 10_000 });
    expect((await auditBooks(books.db)).ok).toBe(true);
    await books.close();
  });
});
