import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeCursor } from "../../src/api/http/cursor.ts";
import type { Principal } from "../../src/contract/identity.ts";
import { placeHoldOperation } from "../../src/domain/ledger/hold-operations.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const ADMIN: Principal = { subject: "root", roles: ["admin"] };

let database: TestDatabase;
let sql: postgres.Sql;
let api: TestApi;
let principal: Principal = ADMIN;
let webhook: string;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = postgres(database.adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  api = createTestApi({ databaseUrl: database.appUrl, authenticator: { authenticate: async () => principal } });
  const made = await api.call("POST", "/api/v1/webhooks", { body: { url: "https://shop.example" } });
  webhook = String(made.body["webhookId"]);
  for (const user of ["anna", "bob"]) await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "1000" } });
  // Rows that a filter takes stand between rows that it does not.
  for (let n = 0; n < 5; n += 1)
    for (const user of ["anna", "bob"]) {
      for (const status of ["CONFIRMED", "CANCELLED"])
        await sql`
          insert into orders (id, user_id, status, saga_state, currency, total_minor, payment_method, comment, request_hash, workflow_id, caller, correlation_id, created_at, updated_at)
          values (${`${user}-${n}-${status}`}, ${user}, ${status}, ${status === "CONFIRMED" ? "COMPLETED" : "FAILED"}, 'RUB', 1, 'wallet', '', 'h', 'w', 'c', 'c', clock_timestamp(), now())`;
      for (const orderId of ["o-1", "o-2"]) await hold(user, orderId, n);
      const purchase = {
        user_id: user,
        username: user,
        amount: "1",
        currency: "RUB",
        payment_method: "wallet",
        transaction_date: "2026-01-01T00:00:00Z",
      };
      await api.call("POST", "/api/v1/purchases", { body: purchase, key: null });
      await api.call("POST", `/api/v1/webhooks/${webhook}/test`, { key: null });
    }
  await sql`update webhook_deliveries set status = 'delivered' where id % 2 = 0`;
});

afterAll(async () => {
  await api.close();
  await sql.end();
  await database.drop();
});

async function hold(userId: string, orderId: string, n: number): Promise<void> {
  const holdId = `${userId}-${orderId}-${n}`;
  const origin = { caller: "test", correlationId: "c" };
  const facts = {
    holdId,
    userId,
    serviceId: "s",
    orderId,
    currency: "RUB",
    amountMinor: 1n,
    expiresAt: "2099-01-01T00:00:00Z",
    requestHash: "h",
  };
  await api.ledger.post(placeHoldOperation({ key: `hold ${holdId}`, comment: "", origin, ...facts }));
}

const LISTS: readonly (readonly [string, () => string, string, string, string])[] = [
  ["orders", () => "/api/v1/orders", "userId=anna&status=CANCELLED", "status=CONFIRMED", "orderId"],
  ["reservations", () => "/api/v1/reservations", "userId=anna&orderId=o-2&status=held", "orderId=o-1", "reservationId"],
  ["purchases", () => "/api/v1/purchases", "user_id=anna", "user_id=bob", "purchase_id"],
  ["deliveries", () => `/api/v1/webhooks/${webhook}/deliveries`, "status=delivered", "status=pending", "deliveryId"],
];

describe.each(LISTS)("the cursor of %s", (list, path, filters, others, id) => {
  const page = async (query: string) => (await api.call("GET", `${path()}?${query}`)).body;
  const cursorOf = (body: Record<string, unknown>) => (body["nextCursor"] ?? body["next_cursor"]) as string | undefined;
  const idsOf = (body: Record<string, unknown>) => (body[list] as Record<string, string>[]).map((row) => row[id]);

  it("keeps the filters: the next pages need nothing beside it", async () => {
    const whole = idsOf(await page(`${filters}&limit=100`));
    expect(whole).toHaveLength(5);
    const seen: unknown[] = [];
    let query = `${filters}&limit=2`;
    for (let pages = 0; pages < 4; pages += 1) {
      const body = await page(query);
      seen.push(...idsOf(body));
      const cursor = cursorOf(body);
      if (cursor === undefined) break;
      query = `limit=2&cursor=${cursor}`;
    }
    expect(seen).toEqual(whole);
  });

  it("goes with the same filters beside it and is refused with others", async () => {
    const cursor = String(cursorOf(await page(`${filters}&limit=2`)));
    expect(idsOf(await page(`${filters}&limit=2&cursor=${cursor}`))).toHaveLength(2);
    expect(await page(`${others}&cursor=${cursor}`)).toMatchObject({ code: "INVALID_CURSOR", errors: [{ pointer: "cursor" }] });
  });
});

it.each([
  ["orders", "2026-01-01 00:00:00+00", "a"],
  ["reservations", "2026-01-01 00:00:00+00", "a"],
  ["purchases", "7", undefined],
] as const)("a cursor of %s with made-up filters is refused", async (list, ...place) => {
  for (const filters of ['{"status":"paid"}', '{"x":"1"}', "[]", '{"userId":""}', '{"user_id":".."}', '{"status":7}', "{"]) {
    const cursor = encodeCursor(list, [filters, ...place.filter((part) => part !== undefined)]);
    expect((await api.call("GET", `/api/v1/${list}?cursor=${cursor}`)).body["code"], filters).toBe("INVALID_CURSOR");
  }
});

it("a cursor that was made for another user shows a user nothing of theirs", async () => {
  const made = await Promise.all(["orders", "reservations"].map((list) => api.call("GET", `/api/v1/${list}?userId=anna&limit=2`)));
  principal = { subject: "bob", roles: ["user"] };
  try {
    for (const [place, list] of ["orders", "reservations"].entries()) {
      const { status, body } = await api.call("GET", `/api/v1/${list}?cursor=${String(made[place]?.body["nextCursor"])}`);
      expect([status, body[list], body["nextCursor"]], list).toEqual([200, [], undefined]);
    }
  } finally {
    principal = ADMIN;
  }
});
