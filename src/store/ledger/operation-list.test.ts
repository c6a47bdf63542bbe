import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { captureHoldOperation, placeHoldOperation, releaseHoldOperation } from "../../domain/ledger/hold-operations.ts";
import { depositOperation, transferOperation, withdrawalOperation } from "../../domain/ledger/wallet-operations.ts";
import { createDatabase, databaseOver, type Database } from "../postgres/database.ts";
import { createLane } from "../postgres/lane.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { firstPagesText, operationListStatement, OPERATION_SORTS, type OperationListInput } from "./operation-list-statement.ts";
import { createOperationLists, readAlone, type OperationLists } from "./operation-list.ts";

let database: TestDatabase;
let connection: Database;
let ledger: Ledger;
let lists: OperationLists;
let sql: postgres.Sql;

const MANY = 100_000;

beforeAll(async () => {
  database = await createTestDatabase();
  connection = createDatabase({ url: database.appUrl, name: "list", laneCount: 2, deadlineMs: 20_000 });
  lists = createOperationLists(connection.db);
  ledger = createLedger({ url: database.appUrl, name: "list", laneCount: 2, deadlineMs: 20_000 });
  sql = postgres(database.adminUrl, { max: 1, onnotice: () => {} });
  // Rows as the ledger writes them, only without their postings: what is measured is how they are found.
  await sql`
    insert into operations (key, content_hash, kind, outcome, currency, amount_minor, user_id, peer_user_id, service_id, order_id, caller, correlation_id, comment, effective_at, recorded_at)
    select 'bulk-' || n, 'h', case when n % 3 = 0 then 'transfer' else 'deposit' end, 'done', 'RUB', 1 + (n * 7919) % 100000,
           case when n % 4 = 0 then 'other-' || n % 500 else 'busy' end, case when n % 12 = 0 then 'busy' end,
           'service-' || n % 50, case when n % 1000 = 0 then 'order-' || n end, 'test', 'c', 'bulk', now(), now() - make_interval(secs => ${MANY} - n)
      from generate_series(1, ${MANY}::integer) n`;
  await sql`analyze operations`;
});

afterAll(async () => {
  await Promise.all([connection.close(), ledger.close(), sql.end()]);
  await database.drop();
});

const input = (change: Partial<OperationListInput> = {}): OperationListInput => ({
  userId: "busy",
  sort: "-date",
  limit: 50,
  includeRefused: false,
  ...change,
});

async function planOf(change: Partial<OperationListInput>): Promise<{ text: string; ms: number }> {
  const { text, parameters } = operationListStatement(input(change));
  const startedAtMs = performance.now();
  const rows = await sql.unsafe(`explain (analyze, costs off, timing off) ${text}`, [...parameters] as never[]);
  return { text: rows.map((row) => row["QUERY PLAN"] as string).join("\n"), ms: performance.now() - startedAtMs };
}

async function planOfFirstPages(userIds: readonly string[]): Promise<string> {
  await sql`set plan_cache_mode = force_generic_plan`;
  try {
    await sql.unsafe(`prepare pages (json) as ${firstPagesText(input())}`);
    const rows = await sql.unsafe(`explain (analyze, costs off, timing off) execute pages ('${JSON.stringify(userIds)}')`);
    await sql.unsafe("deallocate pages");
    return rows.map((row) => row["QUERY PLAN"] as string).join("\n");
  } finally {
    await sql`set plan_cache_mode = auto`;
  }
}

let keys = 0;
const movement = (userId: string, amountMinor: bigint, currency = "RUB") => ({
  key: `k${(keys += 1)}`,
  userId,
  currency,
  amountMinor,
  comment: `move ${amountMinor}`,
  origin: { caller: "test", correlationId: "c" },
});

describe("a user's history", () => {
  it("reads a page of two indexes by date, however long it is", async () => {
    for (const change of [{}, { sort: "date" }, { after: { currency: "RUB", amountMinor: "1", operationId: "50000" } }] as const) {
      const { text } = await planOf(change);
      expect(text).toContain("operations_user");
      expect(text).toContain("operations_peer");
      expect(text).not.toMatch(/Seq Scan on operations/);
      for (const [, rows] of text.matchAll(/actual rows=(\d+)/g)) expect(Number(rows), text).toBeLessThanOrEqual(102);
    }
  });

  it("is planned once by a connection where its plan is the same for all users, and for its values where it is not", async () => {
    const own = createLane({ url: database.appUrl, name: "plans", deadlineMs: 20_000 });
    const db = databaseOver(own);
    try {
      const ofLane = createOperationLists(db);
      for (let n = 0; n < 12; n += 1) await ofLane.read(input({ userId: n % 2 === 0 ? "busy" : `other-${n * 4}`, limit: 30 + n }));
      await ofLane.read(input({ currency: "RUB" }));
      const plans = await own.values(
        "select generic_plans::integer, custom_plans::integer from pg_prepared_statements where statement like '%from operations o%' order by 1 desc",
        [],
      );
      expect(plans).toEqual([
        [12, 0],
        [0, 1],
      ]);
    } finally {
      await own.close();
    }
  });

  it("reads a page of two indexes also by the one plan for all users", async () => {
    await sql`set plan_cache_mode = force_generic_plan`;
    try {
      for (const change of [
        {},
        { after: { currency: "RUB", amountMinor: "1", operationId: "50000" } },
        { includeRefused: true },
      ] as const) {
        const { text, parameters } = operationListStatement(input(change));
        const types = parameters.map((value) => (/^\d+$/.test(String(value)) ? "bigint" : "text")).join(", ");
        await sql.unsafe(`prepare page (${types}) as ${text}`);
        const values = parameters.map((value) => `'${String(value)}'`).join(", ");
        const plan = (await sql.unsafe(`explain (analyze, costs off, timing off) execute page (${values})`))
          .map((row) => row["QUERY PLAN"] as string)
          .join("\n");
        await sql.unsafe("deallocate page");
        expect(plan).toContain("operations_user");
        expect(plan).toContain("operations_peer");
        expect(plan).toContain("$1");
        for (const [, rows] of plan.matchAll(/actual rows=(\d+)/g)) expect(Number(rows), plan).toBeLessThanOrEqual(102);
      }
    } finally {
      await sql`set plan_cache_mode = auto`;
    }
  });

  it("shares one statement with the lists of the same moment, whose plan reads a page of two indexes for each", async () => {
    const text = await planOfFirstPages(["busy", "other-8", "nobody"]);
    expect(text).toContain("operations_user");
    expect(text).toContain("operations_peer");
    for (const [, rows] of text.matchAll(/Index Scan.*actual rows=([\d.]+)/g)) expect(Number(rows), text).toBeLessThanOrEqual(51);
  });

  it("gives each of those who ask at the same moment their own page, and none of another's", async () => {
    const userIds = ["busy", "nobody", "other-8", "other-12", "busy", ...Array.from({ length: 40 }, (_, n) => `other-${4 * n}`)];
    const statements: unknown[][] = [];
    const counted = Object.assign(Object.create(connection.db), {
      values: async (text: string, parameters: readonly unknown[], planning: "once") => {
        statements.push([...parameters]);
        return await connection.db.values(text, parameters, planning);
      },
    }) as Database["db"];
    const shared = createOperationLists(counted);
    for (const sort of ["-date", "date"] as const) {
      const alone = await Promise.all(userIds.map((userId) => readAlone(connection.db, input({ userId, sort, limit: 20 }))));
      const together = await Promise.all(userIds.map((userId) => shared.read(input({ userId, sort, limit: 20 }))));
      expect(together).toEqual(alone);
      expect(together[0]).toHaveLength(21);
      expect(together[1]).toEqual([]);
    }
    expect(statements).toHaveLength(6);
  });

  it("finds a rare order and a user with few operations by an index", async () => {
    expect((await planOf({ userId: "other-8" })).text).not.toMatch(/Seq Scan on operations/);
    expect((await planOf({ orderId: "order-5000" })).text).not.toMatch(/Seq Scan on operations/);
  });

  it("sorts a hundred thousand by amount well within a statement's deadline and keeps only a page of them", async () => {
    const { text, ms } = await planOf({ sort: "-amount" });
    expect(text).toContain("top-N heapsort");
    expect(ms).toBeLessThan(5_000);
  });

  it.each(OPERATION_SORTS)("by %s gives every operation once, page by page, in order", async (sort) => {
    const userId = "other-4";
    const [counted] = await sql`select count(*) from operations where user_id = ${userId} or peer_user_id = ${userId}`;
    const seen: string[] = [];
    const amounts: number[] = [];
    let after: OperationListInput["after"];
    for (;;) {
      const rows = await lists.read(input({ userId, sort, limit: 30, ...(after === undefined ? {} : { after }) }));
      const page = rows.slice(0, 30);
      seen.push(...page.map(({ operationId }) => operationId));
      amounts.push(...page.map(({ amountMinor, operationId }) => (sort.endsWith("date") ? Number(operationId) : Number(amountMinor))));
      const last = page.at(-1);
      if (rows.length <= 30 || last === undefined) break;
      after = { currency: last.currency, amountMinor: last.amountMinor.toString(), operationId: last.operationId };
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBe(Number(counted?.["count"]));
    expect(amounts).toEqual(amounts.toSorted((left, right) => (sort.startsWith("-") ? right - left : left - right)));
  });

  it("shows each side its own change and balance, and the user on the other side", async () => {
    await ledger.post(depositOperation(movement("anna", 1_000n)));
    await ledger.post(transferOperation({ ...movement("anna", 300n), peerUserId: "bob" }));
    const [mine] = await lists.read(input({ userId: "anna" }));
    const [theirs] = await lists.read(input({ userId: "bob" }));
    expect(mine).toMatchObject({
      kind: "transfer",
      availableChangeMinor: -300n,
      heldChangeMinor: 0n,
      availableAfterMinor: 700n,
      peerUserId: "bob",
    });
    expect(theirs).toMatchObject({ kind: "transfer", availableChangeMinor: 300n, availableAfterMinor: 300n, peerUserId: "anna" });
    expect([mine?.heldAfterMinor, theirs?.heldAfterMinor]).toEqual([undefined, undefined]);
  });

  it("shows what a hold moves between the two balances, and what its capture and release take from them", async () => {
    await ledger.post(depositOperation(movement("holder", 1_000n)));
    const hold = {
      holdId: "h1",
      userId: "holder",
      serviceId: "s",
      orderId: "o1",
      currency: "RUB",
      comment: "hold",
      origin: { caller: "t", correlationId: "c" },
    };
    await ledger.post(placeHoldOperation({ ...hold, key: "h1", amountMinor: 400n, expiresAt: "2030-01-01T00:00:00Z", requestHash: "r" }));
    await ledger.post(captureHoldOperation({ ...hold, key: "h2", amountMinor: 100n }));
    await ledger.post(releaseHoldOperation({ ...hold, key: "h3", effect: "release" }));
    const rows = await lists.read(input({ userId: "holder", sort: "date" }));
    expect(
      rows.map((row) => [row.kind, row.availableChangeMinor, row.heldChangeMinor, row.availableAfterMinor, row.heldAfterMinor]),
    ).toEqual([
      ["deposit", 1_000n, 0n, 1_000n, undefined],
      ["hold", -400n, 400n, 600n, 400n],
      ["capture", 0n, -100n, undefined, 300n],
      ["release", 300n, -300n, 900n, 0n],
    ]);
    expect(rows[1]).toMatchObject({ holdId: "h1", serviceId: "s", orderId: "o1" });
  });

  it("leaves refused operations out unless asked for them; they changed nothing", async () => {
    await ledger.post(depositOperation(movement("few", 10n)));
    await ledger.post(withdrawalOperation(movement("few", 11n)));
    expect(await lists.read(input({ userId: "few" }))).toHaveLength(1);
    const [refused] = await lists.read(input({ userId: "few", includeRefused: true }));
    expect(refused).toMatchObject({ kind: "withdrawal", refusalCode: "INSUFFICIENT_FUNDS", amountMinor: 11n, availableChangeMinor: 0n });
  });

  it("filters by currency, kind, time, service and order", async () => {
    const all = async (change: Partial<OperationListInput>) =>
      (await lists.read(input({ userId: "few", includeRefused: true, ...change }))).map(({ kind }) => kind);
    await ledger.post(depositOperation(movement("few", 1n, "USD")));
    expect(await all({ currency: "USD" })).toEqual(["deposit"]);
    expect(await all({ kind: "withdrawal" })).toEqual(["withdrawal"]);
    expect(await all({ from: new Date(Date.now() + 60_000).toISOString() })).toEqual([]);
    expect(await all({ to: new Date(Date.now() - 60_000).toISOString() })).toEqual([]);
    expect(await all({ from: new Date(Date.now() - 60_000).toISOString(), to: new Date(Date.now() + 60_000).toISOString() })).toHaveLength(
      3,
    );
    expect(await all({ serviceId: "no" })).toEqual([]);
    expect((await lists.read(input({ orderId: "order-5000", userId: "busy" }))).length).toBeLessThanOrEqual(1);
  });
});
