import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { holdOrderOperation } from "../../domain/ledger/hold-operations.ts";
import { contentHash } from "../../domain/ledger/operations.ts";
import { depositOperation, transferOperation, withdrawalOperation } from "../../domain/ledger/wallet-operations.ts";
import { createLedger, type Ledger } from "./ledger.ts";

const origin = { caller: "test", correlationId: "test" };
let database: TestDatabase;
let ledger: Ledger;
let sql: postgres.Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  ledger = createLedger({ url: database.appUrl, name: "ledger-test", laneCount: 2, deadlineMs: 10_000 });
  sql = postgres(database.adminUrl, { max: 1, onnotice: () => {} });
});

afterAll(async () => {
  await ledger.close();
  await sql.end();
  await database.drop();
});

const deposit = (key: string, userId: string, amountMinor: bigint) =>
  depositOperation({ key, userId, currency: "RUB", amountMinor, comment: "test deposit", origin });
const withdrawal = (key: string, userId: string, amountMinor: bigint) =>
  withdrawalOperation({ key, userId, currency: "RUB", amountMinor, comment: "test withdrawal", origin });

async function balanceOf(userId: string): Promise<bigint> {
  const [row] =
    await sql`select coalesce(sum(balance_minor), 0)::text as balance from accounts where owner = ${userId} and kind = 'available'`;
  return BigInt(row?.["balance"] as string);
}

describe("a key", () => {
  it("returns the first result when it comes again with the same content", async () => {
    const first = await ledger.post(deposit("same-key", "ann", 10_000n));
    const second = await ledger.post(deposit("same-key", "ann", 10_000n));
    expect(first).toMatchObject({ outcome: "done", duplicate: false });
    expect(second).toEqual({ ...first, duplicate: true });
    expect(await balanceOf("ann")).toBe(10_000n);
  });

  it("is refused when it comes again with other content, and nothing moves", async () => {
    await ledger.post(deposit("other-content", "bea", 500n));
    expect(await ledger.post(deposit("other-content", "bea", 501n))).toMatchObject({ outcome: "conflict" });
    expect(await ledger.post(deposit("other-content", "bob", 500n))).toMatchObject({ outcome: "conflict" });
    expect(await balanceOf("bea")).toBe(500n);
    expect(await balanceOf("bob")).toBe(0n);
  });

  it("keeps a refusal: the same request stays refused when the money has come meanwhile", async () => {
    const refused = await ledger.post(withdrawal("too-early", "cid", 100n));
    expect(refused).toMatchObject({ outcome: "refused", code: "INSUFFICIENT_FUNDS", duplicate: false });
    await ledger.post(deposit("cid-deposit", "cid", 1_000n));
    expect(await ledger.post(withdrawal("too-early", "cid", 100n))).toMatchObject({
      outcome: "refused",
      code: "INSUFFICIENT_FUNDS",
      duplicate: true,
    });
    expect(await balanceOf("cid")).toBe(1_000n);
  });

  it("has one effect when many callers of two processes send it at once", async () => {
    const other = createLedger({ url: database.appUrl, name: "second-process", laneCount: 2, deadlineMs: 10_000 });
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? ledger : other).post(deposit("stampede", "dan", 700n))),
    );
    await other.close();
    expect(results.filter((result) => result.outcome === "done" && !result.duplicate)).toHaveLength(1);
    expect(new Set(results.map((result) => result.operationId)).size).toBe(1);
    expect(await balanceOf("dan")).toBe(700n);
  });
});

describe("concurrent spenders", () => {
  it("of one balance from two processes take exactly what is there", async () => {
    const other = createLedger({ url: database.appUrl, name: "second-process", laneCount: 2, deadlineMs: 20_000 });
    await ledger.post(deposit("eve-deposit", "eve", 50_000n));
    const results = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => (n % 2 === 0 ? ledger : other).post(withdrawal(`eve-${n}`, "eve", 100n))),
    );
    await other.close();
    expect(results.filter((result) => result.outcome === "done")).toHaveLength(500);
    expect(results.filter((result) => result.outcome === "refused" && result.code === "INSUFFICIENT_FUNDS")).toHaveLength(500);
    expect(await balanceOf("eve")).toBe(0n);
  });

  it("moving money in circles through each other's accounts never deadlock and keep the sum", async () => {
    const other = createLedger({ url: database.appUrl, name: "second-process", laneCount: 2, deadlineMs: 20_000 });
    const users = Array.from({ length: 10 }, (_, n) => `circle-${n}`);
    await ledger.postAll(users.map((user) => deposit(`fund-${user}`, user, 1_000n)));
    const results = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        (n % 2 === 0 ? ledger : other).post(
          transferOperation({
            key: `circle-transfer-${n}`,
            userId: users[(n * 7) % 10] as string,
            peerUserId: users[(n * 7 + 1 + (n % 9)) % 10] as string,
            currency: "RUB",
            amountMinor: BigInt((n % 40) + 1),
            comment: "circle",
            origin,
          }),
        ),
      ),
    );
    await other.close();
    expect(results.every((result) => result.outcome === "done" || result.outcome === "refused")).toBe(true);
    const sums = await Promise.all(users.map(balanceOf));
    expect(sums.reduce((sum, balance) => sum + balance, 0n)).toBe(10_000n);
  });
});

describe("killed backends", () => {
  it("leave every call settled within its deadline, nothing lost and nothing doubled", async () => {
    const deadlineMs = 15_000;
    const victim = createLedger({ url: database.appUrl, name: "victim", laneCount: 2, deadlineMs });
    const startedAtMs = Date.now();
    let kills = 0;
    // On a slow machine the kills come slowly; it goes on until there were enough of them.
    const goesOn = () => Date.now() - startedAtMs < (kills > 20 ? 6_000 : 60_000);
    let posted = 0;
    let slowestMs = 0;
    const killer = (async () => {
      while (goesOn()) {
        const killed =
          await sql`select pg_terminate_backend(pid) as killed from pg_stat_activity where application_name = 'victim' order by random() limit 1`;
        kills += killed.length;
        await sleep(80);
      }
    })();
    const callers = Array.from({ length: 32 }, async (_, caller) => {
      for (let n = 0; goesOn(); n += 1) {
        const startedMs = Date.now();
        const result = await victim.post(deposit(`kill-${caller}-${n}`, `kill-user-${caller % 4}`, 1n));
        slowestMs = Math.max(slowestMs, Date.now() - startedMs);
        expect(result.outcome).toBe("done");
        posted += 1;
      }
    });
    await Promise.all([...callers, killer]);
    await victim.close();
    const [row] =
      await sql`select count(*)::int as operations, coalesce(sum(amount_minor), 0)::int as total from operations where key like 'kill-%'`;
    expect(row).toEqual({ operations: posted, total: posted });
    const balances = await Promise.all([0, 1, 2, 3].map((n) => balanceOf(`kill-user-${n}`)));
    expect(balances.reduce((sum, balance) => sum + balance, 0n)).toBe(BigInt(posted));
    expect(kills).toBeGreaterThan(20);
    expect(slowestMs).toBeLessThan(deadlineMs);
  });

  it("are reported as unavailable within the deadline when the server cannot be reached at all", async () => {
    const nowhere = createLedger({ url: "postgres://nobody:x@127.0.0.1:1/nothing", name: "nowhere", laneCount: 1, deadlineMs: 500 });
    const startedMs = Date.now();
    await expect(nowhere.post(deposit("nowhere", "fay", 1n))).rejects.toMatchObject({
      code: expect.stringMatching(/UNAVAILABLE|DEADLINE_EXCEEDED/),
    });
    expect(Date.now() - startedMs).toBeLessThan(3_000);
    await nowhere.close();
  });

  it("end by the deadline also when the wall clock is set back meanwhile", async () => {
    const nowhere = createLedger({ url: "postgres://nobody:x@127.0.0.1:1/nothing", name: "nowhere", laneCount: 1, deadlineMs: 500 });
    const posting = nowhere.post(deposit("set-back", "fay", 1n)).catch(({ code }: { code: string }) => code);
    const anHourAgo = Date.now() - 3_600_000;
    const wallClock = vi.spyOn(Date, "now").mockImplementation(() => anHourAgo);
    const outcome = await Promise.race([posting, sleep(10_000, "still tried")]);
    wallClock.mockRestore();
    await nowhere.close();
    expect(outcome).toMatch(/UNAVAILABLE|DEADLINE_EXCEEDED/);
  });
});

describe("one operation that breaks a shared call", () => {
  it("fails alone: the others of its batch are done", async () => {
    // NUL cannot stand in a Postgres text, so this one breaks the statement it travels in.
    const results = await Promise.allSettled([
      ledger.post(deposit("good-1", "gus", 1n)),
      ledger.post(deposit("bad-\u0000", "gus", 1n)),
      ledger.post(deposit("good-2", "gus", 1n)),
    ]);
    expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await balanceOf("gus")).toBe(2n);
  });
});

describe("an operation of several postings", () => {
  it("is refused as a whole when its last posting is not covered", async () => {
    await ledger.post(deposit("hal-deposit", "hal", 150n));
    const lines = [1, 2].map((lineNo) => ({ lineNo, serviceId: "s", quantity: 1, amountMinor: "100" }));
    const hold = holdOrderOperation({
      key: "hal-order",
      orderId: "hal-order",
      userId: "hal",
      currency: "RUB",
      lines,
      comment: "order",
      origin,
      expiresAt: "2030-01-01T00:00:00Z",
      requestHash: "h",
    });
    expect(await ledger.post(hold)).toMatchObject({ outcome: "refused", code: "INSUFFICIENT_FUNDS" });
    expect(await balanceOf("hal")).toBe(150n);
    expect(await sql`select 1 from holds where order_id = 'hal-order'`).toHaveLength(0);
  });
});

describe("the application's role", () => {
  it("cannot change, delete or write operations, postings, accounts and holds but through the posting function", async () => {
    const app = postgres(database.appUrl, { max: 1, onnotice: () => {} });
    const attempts = [
      "update postings set amount_minor = 1",
      "delete from postings",
      "truncate postings",
      "update operations set comment = ''",
      "delete from operations",
      "update accounts set balance_minor = 1000000",
      "insert into accounts (kind, owner, currency) values ('available', 'x', 'RUB')",
      "update holds set status = 'released'",
      "delete from outbox",
      "delete from orders",
      "delete from dead_letters",
      "insert into operations (key, content_hash, kind, outcome, currency, amount_minor, caller, correlation_id, comment, effective_at, recorded_at) values ('k', 'h', 'deposit', 'done', 'RUB', 1, 'c', 'c', 'c', now(), now())",
      "alter table postings disable trigger all",
      "drop function ledger_post(json, json, json, json, json)",
    ];
    for (const attempt of attempts) await expect(app.unsafe(attempt), attempt).rejects.toMatchObject({ code: "42501" });
    await app.end();
  });

  it("is not the only guard: even the owner meets the trigger on append-only tables", async () => {
    for (const table of ["operations", "postings"])
      for (const attempt of [`update ${table} set recorded_at = now()`, `delete from ${table}`, `truncate ${table} cascade`])
        await expect(sql.unsafe(attempt), attempt).rejects.toMatchObject({ code: "42501" });
  });

  it("is not the only guard: a posting between accounts of two currencies is refused by the table", async () => {
    await ledger.post({ ...deposit("two-currencies", "ivy", 5n), currency: "USD" });
    const insert = `insert into postings (operation_id, currency, debit_account, credit_account, amount_minor, debit_balance_minor, debit_version, credit_balance_minor, credit_version, effective_at, recorded_at)
      select o.id, 'USD', d.id, c.id, 1, 0, 1000001, 0, 1000001, now(), now() from operations o, accounts d, accounts c
      where o.key = 'two-currencies' and d.kind = 'available' and d.owner = 'ivy' and c.kind = 'external' and c.currency = `;
    await expect(sql.unsafe(`${insert} 'RUB'`)).rejects.toMatchObject({ code: "23503" });
    await expect(
      sql.begin(async (own) => {
        await own.unsafe(`${insert} 'USD'`);
        throw new Error("undone");
      }),
    ).rejects.toThrow("undone");
  });

  it("cannot bring an account below zero even past the posting function: the table refuses it", async () => {
    await expect(sql`update accounts set balance_minor = -1 where kind = 'available'`).rejects.toMatchObject({ code: "23514" });
  });
});

describe("the content of an operation", () => {
  it("is the same whatever its words and origin, and another one for each change of what it does", () => {
    const base = deposit("k", "ann", 100n);
    expect(contentHash({ ...base, comment: "other words", origin: { caller: "x", correlationId: "y" } })).toBe(contentHash(base));
    const others = [
      deposit("k", "ann", 101n),
      deposit("k", "bob", 100n),
      withdrawal("k", "ann", 100n),
      { ...base, currency: "USD" },
      { ...base, furtherContent: ["2026"] },
    ];
    expect(new Set([base, ...others].map(contentHash)).size).toBe(6);
  });
});
