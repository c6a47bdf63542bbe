import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DomainError } from "../../src/base/errors.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createLegacyClient, message } from "../support/legacy-client.ts";
import { startLegacyApi, type LegacyApi } from "../support/legacy-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let admin: postgres.Sql;
let workflows: TestWorkflows;
let legacy: LegacyApi;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = postgres(database.adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  legacy = await startLegacyApi({ databaseUrl: database.appUrl, starters: workflows.starters });
  await legacy.send("POST", "/api/services", { services: [{ id: 1, name: "Delivery" }] });
});

afterAll(async () => {
  await legacy.close();
  await workflows.close();
  await admin.end();
  await database.drop();
});

const { credit, balanceOf, reserve, shown } = createLegacyClient(() => legacy);

test("B-05: a service name is a value, never SQL", async () => {
  const names = ["O'Brien", "x'); drop table services; --", '$$; delete from accounts; "'];
  const services = names.map((name, place) => ({ id: `b05-${place}`, name }));
  expect((await legacy.send("POST", "/api/services", { services })).body).toBe("OK");
  for (const service of services) expect(JSON.parse((await legacy.send("GET", `/api/services?id=${service.id}`)).body)).toEqual(service);
});

test("B-19: a reserve is shown to none but its own user and service, and nothing of another user", async () => {
  await credit("b19", 10);
  await credit("b19-rich", 777);
  await legacy.send("POST", "/api/services", [{ id: "b19-other", name: "b19 other" }]);
  await reserve("b19", 4);
  const order = "order of b19";
  for (const other of [
    { user_id: "b19-rich", service_id: 1, order_id: order },
    { user_id: "b19", service_id: "b19-other", order_id: order },
  ]) {
    const answer = await legacy.send("GET", "/api/reserve", other);
    expect([answer.status, answer.body]).toEqual([400, '{"message":"money were not reserved for order"}']);
  }
});

test("B-20: every amount of one answer is in the same unit", async () => {
  await credit("b20", 100);
  await reserve("b20", 39.5);
  expect(JSON.parse((await shown("b20")).body)).toMatchObject({ user: { balance: 60.5 }, amount: 39.5 });
});

test("B-21: the figures of an error stand where its words say", async () => {
  await credit("b21", 10);
  expect(message(await reserve("b21", 50))).toBe("doesn't have enough money, needed: 50.00, user has: 10.00");
  const canonical = await legacy.api.call("POST", "/api/v1/reservations", {
    body: { userId: "b21", serviceId: "b21-none", orderId: "b21-order", amount: "1" },
  });
  expect(canonical.body).toMatchObject({
    code: "UNKNOWN_SERVICE",
    errors: [{ pointer: "/serviceId", message: expect.stringContaining("b21-none") }],
  });
});

test("B-24: what is read with a body can be read without one, by fetch", async () => {
  await credit("b24", 10);
  await reserve("b24", 4);
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${legacy.port}${path}`)).json();
  expect(await get("/api?id=b24")).toEqual({ balance: 6 });
  expect(await get("/api/services?id=1")).toEqual({ id: 1, name: "Delivery" });
  expect(await get(`/api/reserve?user_id=b24&service_id=1&order_id=${encodeURIComponent("order of b24")}`)).toMatchObject({ amount: 4 });
});

test("B-27: no time is kept without its zone, and none is shown without it", async () => {
  const columns = await admin`
    select table_name, column_name from information_schema.columns where table_schema = 'public' and data_type = 'timestamp without time zone'`;
  expect([...columns]).toEqual([]);
  await credit("b27", 10);
  const startedAtMs = Date.now();
  await reserve("b27", 1);
  const { reserved_at: reservedAt } = JSON.parse((await shown("b27")).body) as { reserved_at: string };
  expect(reservedAt).toMatch(/\+03:00$/);
  expect(Math.abs(Date.parse(reservedAt) - startedAtMs)).toBeLessThan(10_000);
});

test("B-28: without a token nothing is read and nothing moves", async () => {
  await credit("b28", 10);
  const guarded = await startLegacyApi({
    databaseUrl: database.appUrl,
    authenticator: { authenticate: () => Promise.reject(new DomainError("UNAUTHENTICATED")) },
  });
  const answers = [await credit("b28", 5, guarded), await guarded.send("GET", "/api?id=b28"), await reserve("b28", 5, guarded)];
  await guarded.close();
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
  expect(await balanceOf("b28")).toBe(10);
});

test("B-29: ids beyond 2^53 are never confused: refused as numbers, exact as text", async () => {
  const [one, other] = ["9007199254740992", "9007199254740993"];
  for (const id of [one, other, "18446744073709551615"])
    expect((await legacy.send("POST", "/api", `{"id":${id},"amount":1}`)).status).toBe(400);
  await credit(one, 1);
  await credit(other, 2);
  expect([await balanceOf(one), await balanceOf(other)]).toEqual([1, 2]);
  expect((await credit("9007199254740991", 3)).body).toBe("OK");
  expect((await legacy.send("GET", "/api", '{"id":9007199254740991}')).body).toBe('{"balance":3}');
});
