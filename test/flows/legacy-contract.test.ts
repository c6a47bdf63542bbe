import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TEST_SETTINGS } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { startLegacyApi, type LegacyApi } from "../support/legacy-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let legacy: LegacyApi;

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  legacy = await startLegacyApi({ databaseUrl: database.appUrl, starters: workflows.starters });
});

afterAll(async () => {
  await legacy.close();
  await workflows.close();
  await database.drop();
});

type Row = readonly [method: string, path: string, body: string | undefined, status: number, answer: string | RegExp];

const TEXT = "text/plain; charset=utf-8";
const reserve1 = '{"user_id":1,"service_id":1,"order_id":10,"amount":40.5}';
const triple1 = '{"user_id":1,"service_id":1,"order_id":10}';
const reserve2 = '{"user_id":1,"service_id":1,"order_id":11,"amount":9.5}';
const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+03:00`;

/** The contract, in the order it is played: each row builds on those before it. */
const CONTRACT: readonly Row[] = [
  // Credit and balance.
  ["GET", "/api", '{"id":1}', 400, '{"message":"no such user with id"}'],
  ["POST", "/api", '{"id":1,"amount":100}', 200, "OK"],
  ["GET", "/api", '{"id":1}', 200, '{"balance":100}'],
  ["POST", "/api", '{"id":1,"amount":0.50}', 200, "OK"],
  ["GET", "/api", '{"id":1}', 200, '{"balance":100.5}'],
  ["GET", "/api", '{"id":"1"}', 200, '{"balance":100.5}'],
  ["GET", "/api?id=1", undefined, 200, '{"balance":100.5}'],
  ["GET", "/api?id=404", '{"id":1}', 200, '{"balance":100.5}'],
  ["HEAD", "/api?id=1", undefined, 200, ""],
  ["POST", "/api", '{"id":1,"amount":"0.01"}', 200, "OK"],
  ["GET", "/api", '{"id":1}', 200, '{"balance":100.51}'],
  ["POST", "/api", '{"id":1,"amount":0.49}', 200, "OK"],
  ["POST", "/api", '{"id":1,"amount":0}', 400, '{"message":"the amount must be above zero"}'],
  ["POST", "/api", '{"id":1,"amount":-5}', 400, '{"message":"the amount is not a plain decimal such as 100.50"}'],
  ["POST", "/api", '{"id":1,"amount":1.005}', 400, '{"message":"RUB has 2 decimals"}'],
  ["POST", "/api", '{"id":1,"amount":1e2}', 400, '{"message":"the amount is not a plain decimal such as 100.50"}'],
  ["POST", "/api", '{"id":-1,"amount":1}', 400, '{"message":"/id must be a whole number from 0 to 9007199254740991, or text"}'],
  ["POST", "/api", '{"amount":1}', 400, '{"message":"/id must be text or a whole number"}'],
  ["POST", "/api", '{"id":1,', 400, '{"message":"the JSON text ends too early"}'],
  ["POST", "/api", "[]", 400, /^\{"message":".+"\}$/],
  ["GET", "/api", "{broken", 400, '{"message":"the JSON text is broken at character 2"}'],
  ["GET", "/api", undefined, 400, '{"message":"id must be text or a whole number"}'],
  ["GET", "/api?id=1&id=2", undefined, 400, '{"message":"id must be text or a whole number"}'],
  ["GET", "/api", '{"id":1,"unknown":[true]}', 200, '{"balance":101}'],

  // Services.
  ["POST", "/api/services", '{"services":[{"id":1,"name":"Delivery"},{"id":2,"name":"O\'Brien, \\"Inc\\""}]}', 200, "OK"],
  ["POST", "/api/services", '[{"id":3,"name":"Third"}]', 200, "OK"],
  ["POST", "/api/services", '[{"id":3,"name":"Third"}]', 200, "OK"],
  [
    "POST",
    "/api/services",
    '[{"id":3,"name":"Other"}]',
    400,
    '{"message":"the id or the name of service \\"3\\" belongs to another service"}',
  ],
  ["POST", "/api/services", '{"services":[]}', 400, '{"message":"/services must name at least one"}'],
  [
    "POST",
    "/api/services",
    '{"services":[{"id":4,"name":"a"},{"id":4,"name":"b"}]}',
    400,
    '{"message":"/services/1/id stands in the list before"}',
  ],
  ["GET", "/api/services", '{"id":1}', 200, '{"id":1,"name":"Delivery"}'],
  ["GET", "/api/services?id=2", undefined, 200, '{"id":2,"name":"O\'Brien, \\"Inc\\""}'],
  ["GET", "/api/services", '{"id":404}', 400, '{"message":"no such service with id"}'],

  // Reserve, read, purchase.
  ["POST", "/api/reserve", '{"user_id":404,"service_id":1,"order_id":10,"amount":1}', 400, '{"message":"no such user with id"}'],
  ["POST", "/api/reserve", '{"user_id":1,"service_id":404,"order_id":10,"amount":1}', 400, '{"message":"no such service with id"}'],
  [
    "POST",
    "/api/reserve",
    '{"user_id":1,"service_id":1,"order_id":10,"amount":101.01}',
    400,
    '{"message":"doesn\'t have enough money, needed: 101.01, user has: 101.00"}',
  ],
  ["GET", "/api/reserve", triple1, 400, '{"message":"money were not reserved for order"}'],
  ["POST", "/api/purchase", reserve1, 400, '{"message":"money were not reserved for order"}'],
  ["DELETE", "/api/reserve", reserve1, 400, '{"message":"money were not reserved for order"}'],
  ["POST", "/api/reserve", reserve1, 200, "OK"],
  ["POST", "/api/reserve", reserve1, 400, '{"message":"money were already reserved for order"}'],
  ["GET", "/api", '{"id":1}', 200, '{"balance":60.5}'],
  [
    "GET",
    "/api/reserve",
    triple1,
    200,
    new RegExp(
      `^\\{"order_id":10,"user":\\{"id":1,"balance":60.5\\},"service":\\{"id":1,"name":"Delivery"\\},"amount":40.5,"purchased":false,"reserved_at":"${time}"\\}$`,
    ),
  ],
  ["GET", "/api/reserve?user_id=1&service_id=1&order_id=10", undefined, 200, /"amount":40.5,"purchased":false/],
  ["GET", "/api/reserve", '{"user_id":2,"service_id":1,"order_id":10}', 400, '{"message":"money were not reserved for order"}'],
  [
    "POST",
    "/api/purchase",
    '{"user_id":1,"service_id":1,"order_id":10,"amount":40.49}',
    400,
    '{"message":"wrong purchase amount, stored in reserve"}',
  ],
  [
    "POST",
    "/api/purchase",
    '{"user_id":1,"service_id":2,"order_id":10,"amount":40.5}',
    400,
    '{"message":"money were not reserved for order"}',
  ],
  ["DELETE", "/api/users", '{"id":1}', 400, '{"message":"The user has money, open reservations or running orders."}'],
  ["DELETE", "/api/services", '{"id":1}', 400, '{"message":"The service has open reservations or orders."}'],
  ["POST", "/api/purchase", reserve1, 200, "OK"],
  ["POST", "/api/purchase", reserve1, 400, '{"message":"the purchase has already happened"}'],
  ["DELETE", "/api/reserve", reserve1, 400, '{"message":"the purchase has already happened"}'],
  ["POST", "/api/reserve", reserve1, 400, '{"message":"the purchase has already happened"}'],
  ["GET", "/api/reserve", triple1, 200, new RegExp(`"amount":40.5,"purchased":true,"reserved_at":"${time}","purchased_at":"${time}"\\}$`)],

  // Release: with a body, and by query.
  ["POST", "/api/reserve", reserve2, 200, "OK"],
  [
    "DELETE",
    "/api/reserve",
    '{"user_id":1,"service_id":1,"order_id":11,"amount":1000000}',
    400,
    '{"message":"wrong purchase amount, stored in reserve"}',
  ],
  ["DELETE", "/api/reserve", reserve2, 200, "OK"],
  ["DELETE", "/api/reserve", reserve2, 400, '{"message":"money were not reserved for order"}'],
  ["GET", "/api", '{"id":1}', 200, '{"balance":60.5}'],
  ["POST", "/api/reserve", reserve2, 200, "OK"],
  ["DELETE", "/api/reserve?user_id=1&service_id=1&order_id=11&amount=9.50", undefined, 200, "OK"],
  ["GET", "/api", '{"id":1}', 200, '{"balance":60.5}'],

  // Deleting users and services.
  ["DELETE", "/api/services", '{"id":3}', 200, "OK"],
  ["GET", "/api/services", '{"id":3}', 400, '{"message":"no such service with id"}'],
  ["DELETE", "/api/services", '{"id":3}', 400, '{"message":"no such service with id"}'],
  ["DELETE", "/api/users", '{"id":404}', 400, '{"message":"no such user with id"}'],

  // What HTTP refuses.
  ["PUT", "/api", '{"id":1}', 405, /^\{"message":".+"\}$/],
  ["PATCH", "/api/reserve", "{}", 405, /^\{"message":".+"\}$/],
  ["GET", "/api/purchase", undefined, 405, /^\{"message":".+"\}$/],
];

describe("the earlier service's contract", () => {
  test("each request of the table has its answer, byte for byte", async () => {
    for (const [method, path, body, status, answer] of CONTRACT) {
      const got = await legacy.send(method, path, body);
      const row = `${method} ${path} ${body ?? ""}`;
      if (answer instanceof RegExp) expect(got.body, row).toMatch(answer);
      else expect(got.body, row).toBe(answer);
      expect(got.status, row).toBe(status);
      if (method !== "HEAD") expect(got.headers["content-type"], row).toBe(got.body === "OK" ? TEXT : "application/json");
    }
  });

  test("a user is deleted once nothing is left, and a later credit makes the same user again", async () => {
    const user = { id: "leaver" };
    await legacy.send("POST", "/api", { ...user, amount: 1 });
    await legacy.api.call("POST", "/api/v1/balances/leaver/withdrawals", { body: { amount: "1" } });
    expect((await legacy.send("DELETE", "/api/users", user)).body).toBe("OK");
    expect((await legacy.send("GET", "/api", user)).body).toBe('{"message":"no such user with id"}');
    await legacy.send("POST", "/api", { ...user, amount: 2 });
    expect((await legacy.send("GET", "/api", user)).body).toBe('{"balance":2}');
  });

  test("other methods are refused with the ones that are allowed, and POST needs JSON", async () => {
    expect((await legacy.send("PUT", "/api", "{}")).headers["allow"]).toBe("GET, HEAD, POST");
    expect((await legacy.send("POST", "/api/reserve/", "{}")).status).toBe(404);
    const form = await legacy.send("POST", "/api", "id=1", { "content-type": "application/x-www-form-urlencoded" });
    expect([form.status, JSON.parse(form.body)]).toEqual([415, { message: "The body must be application/json." }]);
    // What curl -d sends with GET unless it is told otherwise.
    const curl = await legacy.send("GET", "/api", '{"id":1}', { "content-type": "application/x-www-form-urlencoded" });
    expect(curl.body).toBe('{"balance":60.5}');
  });

  test("a body of GET is read whole when it comes in pieces, and not past the limit", async () => {
    const chunked = await legacy.send("GET", "/api", '5\r\n{"id"\r\n3\r\n:1}\r\n0\r\n\r\n', {
      "transfer-encoding": "chunked",
      "content-length": undefined,
    });
    expect([chunked.status, chunked.body]).toEqual([200, '{"balance":60.5}']);
    const large = await legacy.send("GET", "/api", JSON.stringify({ id: "x".repeat(70_000) }));
    expect([large.status, JSON.parse(large.body)]).toEqual([413, { message: "the body may have 65536 bytes" }]);
  });

  test("an id that JSON readers would round is refused as a number and exact as text", async () => {
    const big = "9007199254740993";
    expect((await legacy.send("POST", "/api", `{"id":${big},"amount":1}`)).status).toBe(400);
    expect((await legacy.send("POST", "/api", `{"id":"${big}","amount":1}`)).body).toBe("OK");
    await legacy.send("POST", "/api/reserve", `{"user_id":"${big}","service_id":1,"order_id":"order-x","amount":1}`);
    const { body } = await legacy.send("GET", `/api/reserve?user_id=${big}&service_id=1&order_id=order-x`);
    expect(body).toContain(`{"order_id":"order-x","user":{"id":"${big}","balance":0}`);
  });

  test("with an Idempotency-Key a repeat answers OK and moves nothing, and the key alone decides about a second reserve", async () => {
    const credit = () => legacy.send("POST", "/api", '{"id":"keyed","amount":10}', { "idempotency-key": "k1" });
    expect([(await credit()).body, (await credit()).body]).toEqual(["OK", "OK"]);
    expect((await legacy.send("GET", "/api?id=keyed")).body).toBe('{"balance":10}');
    const wish = '{"user_id":"keyed","service_id":1,"order_id":7,"amount":4}';
    const reserve = (key: string, body = wish) => legacy.send("POST", "/api/reserve", body, { "idempotency-key": key });
    expect([(await reserve("r1")).body, (await reserve("r1")).body]).toEqual(["OK", "OK"]);
    expect((await legacy.send("GET", "/api?id=keyed")).body).toBe('{"balance":6}');
    expect((await reserve("r1", wish.replace("4}", "5}"))).status).toBe(400);
    const purchase = (key: string) => legacy.send("POST", "/api/purchase", wish, { "idempotency-key": key });
    expect([(await purchase("p1")).body, (await purchase("p1")).body]).toEqual(["OK", "OK"]);
    expect((await purchase("p2")).body).toBe('{"message":"the purchase has already happened"}');
    expect((await reserve("r2")).body).toBe("OK");
    expect((await reserve("r3")).body).toBe('{"message":"doesn\'t have enough money, needed: 4.00, user has: 2.00"}');
    expect((await legacy.send("GET", "/api?id=keyed")).body).toBe('{"balance":2}');
  });

  test("a purchase that comes a moment after the end still counts where there is a time of grace, and is a purchase from then on", async () => {
    const graceful = await startLegacyApi({
      databaseUrl: database.appUrl,
      starters: workflows.starters,
      settings: { reservationTtl: { ...TEST_SETTINGS.reservationTtl, defaultMs: 300, graceMs: 60_000 } },
    });
    await graceful.send("POST", "/api", '{"id":"late","amount":10}');
    const wish = '{"user_id":"late","service_id":1,"order_id":7,"amount":4}';
    await graceful.send("POST", "/api/reserve", wish);
    await until("the money of late is back", async () => (await graceful.send("GET", "/api?id=late")).body === '{"balance":10}');
    expect((await graceful.send("GET", "/api/reserve", wish)).body).toBe('{"message":"money were not reserved for order"}');
    expect((await graceful.send("DELETE", "/api/reserve", wish)).body).toBe('{"message":"money were not reserved for order"}');
    // Without a time of grace the end is the end.
    expect((await legacy.send("POST", "/api/purchase", wish)).body).toBe('{"message":"money were not reserved for order"}');
    expect((await graceful.send("POST", "/api/purchase", wish.replace("4}", "5}"))).body).toBe(
      '{"message":"money were not reserved for order"}',
    );
    expect((await graceful.send("POST", "/api/purchase", wish)).body).toBe("OK");
    expect((await graceful.send("GET", "/api/reserve", wish)).body).toContain('"amount":4,"purchased":true');
    expect((await graceful.send("POST", "/api/reserve", wish)).body).toBe('{"message":"the purchase has already happened"}');
    expect((await graceful.send("GET", "/api?id=late")).body).toBe('{"balance":6}');
    await graceful.close();
  });

  test("two open reservations of one triple are told apart by nobody, so both are named and nothing moves", async () => {
    await legacy.send("POST", "/api", '{"id":"twice","amount":10}');
    const wish = '{"user_id":"twice","service_id":1,"order_id":7,"amount":4}';
    for (const key of ["t1", "t2"]) await legacy.send("POST", "/api/reserve", wish, { "idempotency-key": key });
    const answer = await legacy.send("POST", "/api/purchase", wish);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatch(/^\{"message":"several reservations match: [0-9a-f-]{36}, [0-9a-f-]{36}"\}$/);
    expect((await legacy.send("GET", "/api?id=twice")).body).toBe('{"balance":2}');
  });

  test("a reservation in another currency is none of these paths'", async () => {
    await legacy.send("POST", "/api", '{"id":"dollars","amount":10}');
    await legacy.api.call("POST", "/api/v1/balances/dollars/deposits", { body: { amount: "10", currency: "USD" } });
    const reserved = { userId: "dollars", serviceId: 1, orderId: 7, amount: "4", currency: "USD" };
    expect((await legacy.api.call("POST", "/api/v1/reservations", { body: reserved })).status).toBe(201);
    const wish = '{"user_id":"dollars","service_id":1,"order_id":7,"amount":4}';
    for (const [method, path] of [
      ["GET", "/api/reserve"],
      ["POST", "/api/purchase"],
      ["DELETE", "/api/reserve"],
    ] as const)
      expect((await legacy.send(method, path, wish)).body).toBe('{"message":"money were not reserved for order"}');
    expect((await legacy.send("POST", "/api/reserve", wish)).body).toBe("OK");
    expect((await legacy.send("POST", "/api/purchase", wish)).body).toBe("OK");
  });

  test("of many reserves of one triple at once exactly one holds the money", async () => {
    await legacy.send("POST", "/api", '{"id":"race","amount":100}');
    const wish = '{"user_id":"race","service_id":1,"order_id":7,"amount":4}';
    const answers = await Promise.all(Array.from({ length: 8 }, () => legacy.send("POST", "/api/reserve", wish)));
    expect(answers.filter(({ body }) => body === "OK")).toHaveLength(1);
    expect(answers.filter(({ body }) => body === '{"message":"money were already reserved for order"}')).toHaveLength(7);
    expect((await legacy.send("GET", "/api?id=race")).body).toBe('{"balance":96}');
  });

  test("a reserve that was refused for want of money can be made once there is enough", async () => {
    await legacy.send("POST", "/api", '{"id":"poor","amount":1}');
    const wish = '{"user_id":"poor","service_id":1,"order_id":7,"amount":4}';
    for (let attempt = 0; attempt < 3; attempt += 1) expect((await legacy.send("POST", "/api/reserve", wish)).status).toBe(400);
    await legacy.send("POST", "/api", '{"id":"poor","amount":3}');
    expect((await legacy.send("POST", "/api/reserve", wish)).body).toBe("OK");
  });
});
