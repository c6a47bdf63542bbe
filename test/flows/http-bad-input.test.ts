import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Log } from "../../src/adapters/log.ts";
import { createMetrics } from "../../src/adapters/metrics/metrics.ts";
import type { Authenticator } from "../../src/api/http/guard.ts";
import { DomainError } from "../../src/base/errors.ts";
import { parseJsonKeepingNumbers } from "../../src/base/raw-json.ts";
import { createTestApi, TEST_SETTINGS, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const lines: { fields: object; message: string }[] = [];
const note = (fields: object, message: string) => void lines.push({ fields, message });
const log: Log = { debug: note, info: note, warn: note, error: note };

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, log, starters: { orderStatus: async () => undefined } });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

const DEPOSIT = "/api/v1/balances/mallory/deposits";
const chunked = (text: string) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < text.length; at += 1_000) controller.enqueue(new TextEncoder().encode(text.slice(at, at + 1_000)));
      controller.close();
    },
  });

describe("every refusal is problem details", () => {
  test.each([
    ["GET", "/nowhere", 404, "NOT_FOUND"],
    ["GET", "/api/v1/orders/unknown/nothing", 404, "NOT_FOUND"],
    ["DELETE", "/api/v1/orders", 405, "METHOD_NOT_ALLOWED"],
    ["PUT", "/api/v1/balances/anna", 405, "METHOD_NOT_ALLOWED"],
    ["POST", "/healthz", 405, "METHOD_NOT_ALLOWED"],
    ["GET", "/api/v1/services/none", 404, "SERVICE_NOT_FOUND"],
    ["GET", "/api/v1/reservations/none", 404, "RESERVATION_NOT_FOUND"],
    ["GET", "/api/v1/orders/none", 404, "ORDER_NOT_FOUND"],
  ])("%s %s answers %d %s", async (method, path, status, code) => {
    const answer = await api.call(method, path);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({
      type: `urn:saldo:error:${code}`,
      status,
      code,
      instance: path.split("?")[0],
      correlationId: answer.headers.get("x-correlation-id"),
    });
  });

  test("a method that an address does not take names those it takes", async () => {
    expect((await api.call("PATCH", "/api/v1/services")).headers.get("allow")).toBe("GET, HEAD, POST");
    expect((await api.call("GET", "/api/v1/balances/anna/deposits")).headers.get("allow")).toBe("POST");
  });
});

describe("bodies", () => {
  test.each([
    ["broken JSON", '{"amount":', 400, "MALFORMED_JSON"],
    ["nothing", "", 400, "MALFORMED_JSON"],
    ["NaN", '{"amount":NaN}', 400, "MALFORMED_JSON"],
    ["bytes that are not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, "MALFORMED_JSON"],
    ["a list", "[]", 400, "INVALID_REQUEST"],
    ["null", "null", 400, "INVALID_REQUEST"],
    ["depth 10,000", "[".repeat(10_000), 400, "INVALID_REQUEST"],
    ["a name twice", '{"amount":"1","amount":"2"}', 400, "INVALID_REQUEST"],
    ["__proto__", '{"amount":"1","__proto__":{"role":"admin"}}', 400, "INVALID_REQUEST"],
    ["constructor", '{"amount":"1","constructor":{"prototype":{}}}', 400, "INVALID_REQUEST"],
    ["an unknown field", '{"amount":"1","role":"admin"}', 400, "INVALID_REQUEST"],
    ["an amount that is no sum", '{"amount":true}', 400, "INVALID_REQUEST"],
    ["NUL in a text", '{"amount":"1","comment":"a\\u0000b"}', 400, "INVALID_REQUEST"],
    ["half of a surrogate pair", '{"amount":"1","comment":"\\ud800"}', 400, "INVALID_REQUEST"],
    ["a line break in a comment", '{"amount":"1","comment":"a\\r\\nSet-Cookie: x"}', 400, "INVALID_REQUEST"],
    ["more than 64 KB", `{"amount":"1","comment":"${"x".repeat(65_536)}"}`, 413, "PAYLOAD_TOO_LARGE"],
  ])("%s is refused", async (_what, rawBody, status, code) => {
    const answer = await api.call("POST", DEPOSIT, { rawBody });
    expect([answer.status, answer.body["code"]]).toEqual([status, code]);
    expect(({} as Record<string, unknown>)["role"]).toBeUndefined();
  });

  test("a body that tells no length is cut off at the limit", async () => {
    const answer = await api.call("POST", DEPOSIT, { rawBody: chunked(`{"comment":"${"x".repeat(70_000)}"}`) });
    expect([answer.status, answer.body["code"]]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    expect((await api.call("POST", DEPOSIT, { rawBody: chunked('{"amount":"1"}') })).status).toBe(201);
  });

  // What stands after the limit is no JSON: were it read, the answer would be MALFORMED_JSON. So the work ends at the limit.
  test.each([
    ["100,000 levels", `${"[".repeat(33)}!`],
    ["100,000 names", `{${Array.from({ length: 10_001 }, (_, n) => `"${n.toString(36)}":1`).join(",")},!`],
    ["100,000 elements", `[${Array.from({ length: 10_001 }, () => "1").join(",")},!`],
  ])("%s are refused at the limit, whatever follows", (_what, text) => {
    expect(() => parseJsonKeepingNumbers(text)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
  });

  test("more names than any request has are refused", async () => {
    const rawBody = `{${Array.from({ length: 10_900 }, (_, n) => `"${n.toString(36)}":1`).join(",")}}`;
    const roomy = createTestApi({ databaseUrl: database.appUrl, settings: { maxBodyBytes: 1_000_000 } });
    expect((await roomy.call("POST", DEPOSIT, { rawBody })).body["code"]).toBe("INVALID_REQUEST");
    expect((await api.call("POST", DEPOSIT, { rawBody })).status).toBe(rawBody.length > TEST_SETTINGS.maxBodyBytes ? 413 : 400);
    await roomy.close();
  });

  // A8 and A9 of what may be wrong with a sum; the rest of it is in money.test.ts and http-deposits.test.ts.
  test.each(["0", "-1", "1.555", "1e3", "9223372036854775808", "1".repeat(1_000), "1_000", " 1", "+1", "0x1"])(
    "the amount %s is refused",
    async (amount) => {
      const answer = await api.call("POST", DEPOSIT, { body: { amount } });
      expect([answer.status, answer.body["code"]]).toEqual([422, "INVALID_AMOUNT"]);
    },
  );

  test.each(["ZZZ", "rub", "RUBX"])("the currency %s is refused", async (currency) => {
    expect((await api.call("POST", DEPOSIT, { body: { amount: "1", currency } })).status).toBe(422);
  });

  test.each([
    [null, "IDEMPOTENCY_KEY_REQUIRED"],
    ["", "INVALID_IDEMPOTENCY_KEY"],
    ["x".repeat(256), "INVALID_IDEMPOTENCY_KEY"],
    ["a\tb", "INVALID_IDEMPOTENCY_KEY"],
    ["ключ".normalize(), "INVALID_IDEMPOTENCY_KEY"],
  ])("the Idempotency-Key %j is refused", async (key, code) => {
    const sent = key === null ? {} : { "idempotency-key": Buffer.from(key, "utf8").toString("latin1") };
    const answer = await api.call("POST", DEPOSIT, { body: { amount: "1" }, key: null, headers: sent });
    expect([answer.status, answer.body["code"]]).toEqual([400, code]);
  });

  test.each([
    ["right to left", "\u202Eabc\u202C"],
    ["four bytes", "😀𝔘"],
    ["composed", "é".normalize("NFC")],
    ["decomposed", "é".normalize("NFD")],
    ["SQL", "'; drop table operations; --"],
    ["a format of printf and a template", "%s %n ${process.env.HOME} {{7*7}}"],
  ])("%s text is kept exactly", async (_what, comment) => {
    const userId = `text-${randomUUID()}`;
    expect((await api.call("POST", `/api/v1/balances/${userId}/deposits`, { body: { amount: "1", comment } })).status).toBe(201);
    const rows = await api.db.execute(sql`select comment from operations where user_id = ${userId}`);
    expect(rows.map((row) => row["comment"])).toEqual([comment]);
  });

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/jsonp",
    "application/json; charset=utf-16",
    "",
  ])("the content type %j is refused", async (type) => {
    const answer = await api.call("POST", DEPOSIT, { rawBody: '{"amount":"1"}', headers: { "content-type": type } });
    expect([answer.status, answer.body["code"]]).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
  });

  test("a body without a content type is refused and never taken for an empty one", async () => {
    const response = await api.app.request("/api/v1/orders/none/cancel", {
      method: "POST",
      body: new Uint8Array([0x7b, 0x7d]),
      headers: { "content-length": "2" },
    });
    expect(response.status).toBe(415);
  });

  test.each(["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/vnd.saldo+json"])(
    "the content type %j is taken",
    async (type) => {
      expect((await api.call("POST", DEPOSIT, { rawBody: '{"amount":"1"}', headers: { "content-type": type } })).status).toBe(201);
    },
  );

  test("every wrong place is named by its pointer", async () => {
    const answer = await api.call("POST", "/api/v1/orders", {
      body: {
        userId: 7,
        items: [
          { serviceId: "a", amount: "1", quantity: 0 },
          { serviceId: "", amount: "1", "a/b~c": 1 },
        ],
        paymentMethod: "gold",
      },
    });
    expect(answer.status).toBe(400);
    expect((answer.body["errors"] as { pointer: string }[]).map(({ pointer }) => pointer).sort()).toEqual([
      "/items/0/quantity",
      "/items/1/a~1b~0c",
      "/items/1/serviceId",
      "/paymentMethod",
    ]);
  });

  test.each([9007199254740992, -1, 1.5])("the number %d is no id", async (userId) => {
    const answer = await api.call("POST", "/api/v1/reservations", {
      rawBody: `{"userId":${userId},"serviceId":"s","orderId":"o","amount":"1"}`,
    });
    expect(answer.body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer: "/userId" }] });
  });
});

describe("addresses", () => {
  test.each(["%ff", "a%c3", "%00", "a%0ab", "%e0%80%80", "%", "%zz", "%c0%ae%c0%ae"])(
    "the path with %s is refused as problem details",
    async (id) => {
      for (const path of [`/api/v1/balances/${id}`, `/api/v1/orders/${id}`, `/nowhere/${id}`]) {
        const answer = await api.app.request(`http://x${path}`);
        expect([path, answer.status, answer.headers.get("content-type")]).toEqual([path, 400, "application/problem+json"]);
        expect(await answer.json()).toMatchObject({ code: "INVALID_REQUEST" });
      }
    },
  );

  test.each(["dead-letters?topic=%00", "orders?stuck=true&cursor=a%00b", "balances/ann/operations?%00=1", "services?limit=5&x=%00"])(
    "the query of %s is refused",
    async (path) => {
      const answer = await api.app.request(`http://x/api/v1/${path}`);
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        { code: "INVALID_REQUEST", detail: "the query holds a NUL character" },
      ]);
    },
  );

  test.each(["%2e%2e", "..%2fx", "x%2f..", "a".repeat(65)])("the id %s is refused", async (id) => {
    const answer = await api.app.request(`http://x/api/v1/balances/${id}`);
    expect([400, 404]).toContain(answer.status);
    expect(await answer.json()).toMatchObject({ code: answer.status === 400 ? "INVALID_REQUEST" : "NOT_FOUND" });
  });

  test.each([
    ["/api/v1/orders?limit=-1", "INVALID_REQUEST"],
    ["/api/v1/orders?limit=1000000000", "INVALID_REQUEST"],
    ["/api/v1/orders?limit=1e1", "INVALID_REQUEST"],
    ["/api/v1/orders?limit=1&limit=2", "INVALID_REQUEST"],
    ["/api/v1/orders?sort=id%22;drop", "INVALID_REQUEST"],
    ["/api/v1/orders?status=paid", "INVALID_REQUEST"],
    ["/api/v1/orders?cursor=nonsense", "INVALID_CURSOR"],
    [`/api/v1/orders?cursor=${Buffer.from('["services","a"]').toString("base64url")}`, "INVALID_CURSOR"],
    [`/api/v1/orders?cursor=${Buffer.from('["orders","now()","a"]').toString("base64url")}`, "INVALID_CURSOR"],
    [`/api/v1/orders?cursor=${Buffer.from('["orders","2026-99-99 25:61:61+00","a"]').toString("base64url")}`, "INVALID_CURSOR"],
    [`/api/v1/orders?cursor=${Buffer.from('["orders","0000-01-01 00:00:00+00","a"]').toString("base64url")}`, "INVALID_CURSOR"],
    ["/api/v1/reports/revenue/1997-01?version=0", "INVALID_REQUEST"],
  ])("%s is refused", async (path, code) => {
    const answer = await api.call("GET", path);
    expect([answer.status, answer.body["code"]]).toEqual([400, code]);
  });

  test.each(["1997-13", "2026-00", "0000-01", "97-1", "abcd-ef"])("the month %s is refused", async (month) => {
    expect((await api.call("GET", `/api/v1/reports/revenue/${month}`)).body["code"]).toBe("INVALID_MONTH");
    expect((await api.call("GET", `/api/v1/reports/revenue/${month}.csv`)).body["code"]).toBe("INVALID_MONTH");
    expect((await api.call("POST", "/api/v1/reports/revenue", { body: { month } })).status).toBe(422);
  });

  test("a month that has not begun is refused", async () => {
    expect((await api.call("POST", "/api/v1/reports/revenue", { body: { month: "9000-01" } })).body["code"]).toBe("INVALID_MONTH");
  });
});

describe("ids of a request", () => {
  test("a good correlation id is echoed, told in the problem and logged", async () => {
    const answer = await api.call("GET", "/api/v1/orders/none", { headers: { "x-correlation-id": "shop-42", "x-request-id": "r-1" } });
    expect(answer.headers.get("x-correlation-id")).toBe("shop-42");
    expect(answer.headers.get("x-request-id")).toBe("r-1");
    expect(answer.body["correlationId"]).toBe("shop-42");
    expect(lines.at(-1)?.fields).toMatchObject({
      correlationId: "shop-42",
      requestId: "r-1",
      route: "/api/v1/orders/{orderId}",
      status: 404,
      code: "ORDER_NOT_FOUND",
    });
  });

  test("without one it is the client's trace, so that what leaves for the request belongs to that", async () => {
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const traceparent = `00-${trace}-b7ad6b7169203331-01`;
    const [traced, named, broken] = await Promise.all([
      api.call("GET", "/healthz", { headers: { traceparent } }),
      api.call("GET", "/healthz", { headers: { traceparent, "x-correlation-id": "shop-42" } }),
      api.call("GET", "/healthz", { headers: { traceparent: `00-${trace}` } }),
    ]);
    expect(traced.headers.get("x-correlation-id")).toBe(trace);
    expect(named.headers.get("x-correlation-id")).toBe("shop-42");
    expect(broken.headers.get("x-correlation-id")).not.toBe(trace);
  });

  test.each(["", "a b", "x".repeat(129), "é"])("the correlation id %j is replaced", async (given) => {
    const answer = await api.call("GET", "/healthz", { headers: { "x-correlation-id": given } });
    expect(answer.headers.get("x-correlation-id")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  test("every answer forbids sniffing and keeping", async () => {
    const answer = await api.call("GET", "/api/v1/balances/anna");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(answer.headers.get("x-powered-by")).toBeNull();
  });
});

describe("pages of other origins", () => {
  const shop = "https://shop.example";
  const preflight = { origin: shop, "access-control-request-method": "POST" };

  test("may read nothing unless they are allowed", async () => {
    const answer = await api.app.request("/healthz", { headers: { origin: shop } });
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    expect((await api.app.request("/api/v1/transfers", { method: "OPTIONS", headers: preflight })).status).toBe(405);
  });

  test("may read answers when they are on the list, and no others may", async () => {
    const open = createTestApi({ databaseUrl: database.appUrl, settings: { corsOrigins: [shop] } });
    const asked = await open.app.request("/api/v1/transfers", { method: "OPTIONS", headers: preflight });
    expect(asked.status).toBe(204);
    expect(asked.headers.get("access-control-allow-origin")).toBe(shop);
    expect(asked.headers.get("access-control-allow-headers")).toContain("idempotency-key");
    const read = await open.app.request("/api/v1/services/none", { headers: { origin: shop } });
    expect(read.status).toBe(404);
    expect(read.headers.get("access-control-allow-origin")).toBe(shop);
    expect(read.headers.get("access-control-allow-credentials")).toBeNull();
    for (const origin of ["https://shop.example.evil.example", "http://shop.example", "https://SHOP.example", "null"]) {
      const other = await open.app.request("/healthz", { headers: { origin } });
      expect([origin, other.headers.get("access-control-allow-origin"), other.headers.get("vary")]).toEqual([origin, null, "origin"]);
    }
    await open.close();
  });
});

describe("headers of every answer", () => {
  test("are the same on errors", async () => {
    for (const path of ["/nowhere", "/api/v1/balances/%ff", "/api/v1/orders/none"]) {
      const { headers } = await api.app.request(path);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(headers.get("strict-transport-security")).toBeNull();
    }
  });

  test("ask for https only where the client came over it", async () => {
    const secure = createTestApi({ databaseUrl: database.appUrl, settings: { isSecure: () => true } });
    expect((await secure.app.request("/healthz")).headers.get("strict-transport-security")).toMatch(/^max-age=\d{7,}/);
    await secure.close();
  });
});

describe("the metrics", () => {
  const TOKEN = "a-token-of-a-collector";
  const refusing: Authenticator = { authenticate: () => Promise.reject(new DomainError("UNAUTHENTICATED")) };

  test("are for admins and for the collector's own token", async () => {
    const closed = createTestApi({
      databaseUrl: database.appUrl,
      authenticator: refusing,
      metrics: createMetrics(),
      settings: { metricsToken: TOKEN },
    });
    for (const authorization of ["", `Bearer ${TOKEN}x`, "Bearer ", TOKEN])
      expect((await closed.call("GET", "/metrics", { headers: { authorization } })).status).toBe(401);
    const answer = await closed.call("GET", "/metrics", { headers: { authorization: `Bearer ${TOKEN}` } });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    // Its own path is never a label, and the four refusals before were counted.
    expect(answer.text).toContain('http_server_errors_total{code="UNAUTHENTICATED"} 4');
    await closed.close();
    const user = createTestApi({
      databaseUrl: database.appUrl,
      authenticator: { authenticate: async () => ({ subject: "u", roles: ["user"] }) },
    });
    expect((await user.call("GET", "/metrics")).status).toBe(403);
    await user.close();
  });

  test("name routes by their pattern, never by what was asked", async () => {
    const counting = createTestApi({ databaseUrl: database.appUrl, metrics: createMetrics() });
    await counting.call("GET", "/api/v1/services/secret-service");
    await counting.call("GET", "/secret-path");
    const { text } = await counting.call("GET", "/metrics");
    expect(text).toContain('http_server_request_duration_seconds_count{route="/api/v1/services/{serviceId}",method="GET",status="404"} 1');
    expect(text).toContain('route="unmatched"');
    expect(text).not.toContain("secret");
    await counting.close();
  });
});

describe("outages", () => {
  test("Temporal that is gone is a 503 with Retry-After for orders, and deposits go on", async () => {
    await api.call("POST", "/api/v1/services", { body: { id: "music", name: "Music" } });
    const order = await api.call("POST", "/api/v1/orders", { body: { userId: "u", items: [{ serviceId: "music", amount: "1" }] } });
    expect(order.status).toBe(503);
    expect(order.headers.get("retry-after")).toBe("1");
    expect(order.body["code"]).toBe("UNAVAILABLE");
    expect((await api.call("POST", DEPOSIT, { body: { amount: "1" } })).status).toBe(201);
  });

  test("Postgres that is gone is a 503 that tells nothing of itself", async () => {
    const dead = createTestApi({ databaseUrl: "postgres://saldo_app:secret-word@127.0.0.1:1/nothing", log, deadlineMs: 500 });
    for (const path of ["/api/v1/balances/anna", "/api/v1/orders/x", "/api/v1/services"]) {
      const answer = await dead.call("GET", path);
      expect([path, answer.status, answer.body["code"]]).toEqual([path, 503, "UNAVAILABLE"]);
      expect(answer.headers.get("retry-after")).toBe("1");
      expect(answer.text).not.toMatch(/select|secret-word|127\.0\.0\.1|ECONN/i);
    }
    expect((await dead.call("POST", DEPOSIT, { body: { amount: "1" } })).status).toBe(503);
    await dead.close();
  });

  test("an error nobody expected is a 500 with the correlation id and nothing else; its words are in the log", async () => {
    const broken = createTestApi({
      databaseUrl: database.appUrl,
      log,
      starters: {
        orderStatus: () => Promise.reject(new Error("secret detail")),
        startReport: () => Promise.reject(new Error("secret detail")),
      },
    });
    const answer = await broken.call("POST", "/api/v1/reports/revenue", { body: { month: "2020-01" } });
    expect(answer.status).toBe(500);
    expect(answer.body["code"]).toBe("INTERNAL");
    expect(answer.text).not.toContain("secret detail");
    const logged = lines.findLast(({ message }) => message === "request failed")?.fields as { err: Error; correlationId: string };
    expect(logged.err.message).toBe("secret detail");
    expect(logged.correlationId).toBe(answer.body["correlationId"]);
    await broken.close();
  });

  test("readiness names the part that does not answer", async () => {
    const fine = () => Promise.resolve();
    const gone = () => Promise.reject(new Error("gone"));
    const ready = createTestApi({
      databaseUrl: database.appUrl,
      checks: [
        { name: "postgres", needed: true, check: fine },
        { name: "redis", needed: false, check: gone },
      ],
    });
    expect((await ready.call("GET", "/readyz")).status).toBe(200);
    await ready.close();
    const notReady = createTestApi({ databaseUrl: database.appUrl, checks: [{ name: "postgres", needed: true, check: gone }] });
    const answer = await notReady.call("GET", "/readyz");
    expect(answer.status).toBe(503);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ code: "UNAVAILABLE", parts: [{ name: "postgres", ok: false }] });
    await notReady.close();
  });
});

/** For people and for the document itself: not part of the API it describes. */
const PAGES = /^\/(openapi\.json|docs|swagger\/.*)?$/;

describe("the OpenAPI document", () => {
  test("lists every route of the app, and the app takes every route it lists", async () => {
    const document = (await (await api.app.request("/openapi.json")).json()) as {
      openapi: string;
      paths: Record<string, Record<string, unknown>>;
    };
    expect(document.openapi).toBe("3.1.0");
    const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const taken = api.app.routes
      .filter(({ method, path }) => method !== "ALL" && !PAGES.test(path))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    // The CSV is an ending of another route, and it is asked for in http-reports.test.ts.
    expect(listed.filter((route) => !route.endsWith("}.csv")).sort()).toEqual(taken.sort());
    expect(listed.length).toBeGreaterThan(15);
  });
});
