import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Log } from "../../src/adapters/log.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const lines: { fields: object; message: string }[] = [];
const note = (fields: object, message: string) => void lines.push({ fields, message });
const log: Log = { debug: note, info: note, warn: note, error: note };

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, log, starters: { userOfOrder: async () => undefined } });
});

afterAll(async () => {
  await api.close();
  await database.drop();
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
