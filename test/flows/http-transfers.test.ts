import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

const available = async (user: string) => (await api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body["available"];
const deposit = (user: string, amount: string) => api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount } });
const transfer = (body: unknown, key?: string | null) =>
  api.call("POST", "/api/v1/transfers", { body, ...(key === undefined ? {} : { key }) });

describe("transfers over HTTP", () => {
  test("money goes from one user to the other, and both get a notification", async () => {
    await deposit("anna", "10");
    const answer = await transfer({ fromUserId: "anna", toUserId: "bob", amount: 2.5, comment: "dinner" });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ fromUserId: "anna", toUserId: "bob", amount: "2.50", currency: "RUB", status: "done" });
    expect([await available("anna"), await available("bob")]).toEqual(["7.50", "2.50"]);
    const rows = await api.db.execute<{ message_key: string; topic: string }>(
      sql`select message_key, topic from outbox where operation_id = ${String(answer.body["operationId"])}::bigint order by message_key`,
    );
    expect(rows).toMatchObject([
      { message_key: "anna", topic: "notifications" },
      { message_key: "bob", topic: "notifications" },
    ]);
  });

  test("more than there is is refused and nobody hears of it", async () => {
    const answer = await transfer({ fromUserId: "empty", toUserId: "full", amount: "1" });
    expect([answer.status, answer.body["code"]]).toEqual([422, "INSUFFICIENT_FUNDS"]);
    expect(await available("full")).toBe("0.00");
    expect(await api.db.execute(sql`select 1 from outbox where message_key in ('empty', 'full')`)).toHaveLength(0);
  });

  test("a user cannot pay themselves, also not as a number", async () => {
    expect((await transfer({ fromUserId: "anna", toUserId: "anna", amount: "1" })).body).toMatchObject({
      code: "INVALID_REQUEST",
      errors: [{ pointer: "/toUserId" }],
    });
    const answer = await api.call("POST", "/api/v1/transfers", { rawBody: '{"fromUserId":7,"toUserId":"7","amount":1}' });
    expect([answer.status, answer.body["code"]]).toEqual([400, "INVALID_REQUEST"]);
  });

  test("an id that other readers would round is refused", async () => {
    const answer = await api.call("POST", "/api/v1/transfers", { rawBody: '{"fromUserId":9007199254740993,"toUserId":"b","amount":1}' });
    expect(answer.body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer: "/fromUserId" }] });
  });

  test("a repeat is byte for byte the first answer, and other content under the key is refused", async () => {
    await deposit("rita", "10");
    const body = { fromUserId: "rita", toUserId: "sam", amount: "3" };
    const first = await transfer(body, "rita-1");
    const again = await transfer(body, "rita-1");
    expect(again.text).toBe(first.text);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await transfer({ ...body, toUserId: "tom" }, "rita-1")).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
    expect((await transfer(body, null)).body["code"]).toBe("IDEMPOTENCY_KEY_REQUIRED");
    expect([await available("rita"), await available("sam")]).toEqual(["7.00", "3.00"]);
  });

  test("money that goes in a circle at the same moment comes back whole, without a deadlock", async () => {
    const users = ["c0", "c1", "c2", "c3"];
    for (const user of users) await deposit(user, "100");
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, place) =>
        transfer({ fromUserId: users[place % 4], toUserId: users[(place + (place % 8 < 4 ? 1 : 3)) % 4], amount: "1" }),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect((await Promise.all(users.map(available))).map(Number).reduce((sum, one) => sum + one, 0)).toBe(400);
  });
});
