import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { untilBlocked } from "../../../test/support/until-blocked.ts";
import { depositOperation, purchaseOperation, withdrawalOperation } from "../../domain/ledger/wallet-operations.ts";
import { createLedger, type Ledger } from "../ledger/ledger.ts";
import { createDatabase, type Database } from "../postgres/database.ts";
import { closeUser, getUser, userExists } from "./users-closing.ts";

let database: TestDatabase;
let connection: Database;
let ledger: Ledger;
let sql: postgres.Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  connection = createDatabase({ url: database.appUrl, name: "closing", laneCount: 3, deadlineMs: 20_000 });
  ledger = createLedger({ url: database.appUrl, name: "closing", laneCount: 2, deadlineMs: 20_000 });
  sql = postgres(database.adminUrl, { max: 2, onnotice: () => {} });
});

afterAll(async () => {
  await Promise.all([connection.close(), ledger.close(), sql.end()]);
  await database.drop();
});

let keys = 0;
const movement = (userId: string, amountMinor: bigint, currency = "RUB") => ({
  key: `k${(keys += 1)}`,
  userId,
  currency,
  amountMinor,
  comment: "test",
  origin: { caller: "test", correlationId: "c" },
});
const deposit = (userId: string, amountMinor: bigint, currency?: string) =>
  ledger.post(depositOperation(movement(userId, amountMinor, currency)));
const withdraw = (userId: string, amountMinor: bigint, currency?: string) =>
  ledger.post(withdrawalOperation(movement(userId, amountMinor, currency)));
const close = (userId: string) => closeUser(connection.db, { userId, actor: "admin", correlationId: "c" });
const outcome = (userId: string) =>
  close(userId).then(
    () => "closed",
    (error: { code: string }) => error.code,
  );

describe("deleting a user", () => {
  it("is refused while they have money in any currency, and done once it is gone", async () => {
    await deposit("anna", 100n);
    await deposit("anna", 5n, "USD");
    await withdraw("anna", 100n);
    expect(await outcome("anna")).toBe("USER_IN_USE");
    await withdraw("anna", 5n, "USD");
    expect(await outcome("anna")).toBe("closed");
    expect(await userExists(connection.db, "anna")).toBe(false);
    expect(await getUser(connection.db, "anna")).toBeUndefined();
    expect(await outcome("anna")).toBe("USER_NOT_FOUND");
  });

  it("is not found for nobody, and for one who was only ever refused", async () => {
    await ledger.post(purchaseOperation({ ...movement("refused", 1n), paymentMethod: "wallet", occurredAt: "2026-01-01T00:00:00Z" }));
    expect([await outcome("nobody"), await outcome("refused")]).toEqual(["USER_NOT_FOUND", "USER_NOT_FOUND"]);
    expect(await userExists(connection.db, "refused")).toBe(false);
  });

  it("ends with the next credit: they are a user again, since then", async () => {
    await deposit("back", 1n);
    await withdraw("back", 1n);
    await close("back");
    const credit = await deposit("back", 1n);
    expect(await userExists(connection.db, "back")).toBe(true);
    expect((await getUser(connection.db, "back"))?.since).toEqual(credit.recordedAt);
    await withdraw("back", 1n);
    expect(await outcome("back")).toBe("closed");
  });

  it("ends their login, their sessions and every token there is", async () => {
    await sql`insert into users (id, login, password_hash, roles) values ('login', 'login@x', 'h', array['user'])`;
    await sql`insert into sessions (id, user_id, expires_at) values ('s1', 'login', now() + interval '1 day')`;
    expect((await getUser(connection.db, "login"))?.roles).toEqual(["user"]);
    await close("login");
    const [row] = await sql`
      select (select disabled_at is not null from users where id = 'login') as disabled,
             (select revoked_at is not null from sessions where id = 's1') as revoked,
             (select revoked_up_to > now() - interval '1 minute' from revoked_subjects where subject = 'login') as subject,
             (select act || ' ' || actor from acts where subject_id = 'login') as act`;
    expect(row).toEqual({ disabled: true, revoked: true, subject: true, act: "user.deleted admin" });
    expect(await outcome("login")).toBe("USER_NOT_FOUND");
  });

  it("is refused while an order runs", async () => {
    await deposit("buyer", 1n);
    await withdraw("buyer", 1n);
    await sql`insert into orders (id, user_id, status, saga_state, currency, total_minor, payment_method, comment, request_hash, workflow_id, caller, correlation_id, created_at, updated_at)
      values ('o1', 'buyer', 'PENDING', 'STARTED', 'RUB', 1, 'wallet', '', 'h', 'w', 'c', 'c', now(), now())`;
    expect(await outcome("buyer")).toBe("USER_IN_USE");
    await sql`update orders set saga_state = 'FAILED', status = 'CANCELLED', version = version + 1 where id = 'o1'`;
    expect(await outcome("buyer")).toBe("closed");
  });

  it("waits for the money that is on its way and sees it", async () => {
    await deposit("wait", 1n);
    await withdraw("wait", 1n);
    const holder = await sql.reserve();
    await holder`begin`;
    await holder`select 1 from accounts where owner = 'wait' for no key update`;
    const money = deposit("wait", 7n);
    await untilBlocked(sql);
    const closing = outcome("wait");
    await untilBlocked(sql, 2);
    await holder`commit`;
    holder.release();
    await money;
    const result = await closing;
    expect(result).toBe("USER_IN_USE");
    expect(await userExists(connection.db, "wait")).toBe(true);
  });

  it("never loses a deposit that comes at the same moment: a user with money is always a user", async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 40; round += 1) {
      const userId = `race-${round}`;
      await deposit(userId, 1n);
      await withdraw(userId, 1n);
      const [result] = await Promise.all([
        outcome(userId),
        deposit(userId, 3n, round % 2 === 0 ? "RUB" : "EUR"),
        ...(round % 4 === 0 ? [outcome(userId)] : []),
      ]);
      seen.add(result);
      expect(await userExists(connection.db, userId), `${userId} after ${result}`).toBe(true);
    }
    expect([...seen].every((one) => one === "closed" || one === "USER_IN_USE" || one === "USER_NOT_FOUND")).toBe(true);
  });
});
