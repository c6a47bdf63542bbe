import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Log } from "../../src/adapters/log.ts";
import { accessTable } from "../../src/api/http/declared-access.ts";
import type { Authenticator } from "../../src/api/http/guard.ts";
import { DomainError } from "../../src/base/errors.ts";
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

  test("are told of every method and every header of a request that some route takes", async () => {
    const open = createTestApi({ databaseUrl: database.appUrl, settings: { corsOrigins: [shop] } });
    const { headers } = await open.app.request("/api/v1/transfers", { method: "OPTIONS", headers: preflight });
    const listed = (name: string) => (headers.get(name) ?? "").split(", ");
    const methods = accessTable(open.app).map(({ method }) => method);
    expect(listed("access-control-allow-methods").toSorted()).toEqual([...new Set([...methods, "HEAD"])].sort());
    const document = (await (await open.app.request("/openapi.json")).json()) as {
      paths: Record<string, Record<string, { parameters?: { in: string; name: string }[] }>>;
    };
    const declared = Object.values(document.paths).flatMap((routes) =>
      Object.values(routes).flatMap(({ parameters = [] }) =>
        parameters.filter((parameter) => parameter.in === "header").map(({ name }) => name.toLowerCase()),
      ),
    );
    expect(declared.length).toBeGreaterThan(3);
    const fixed = ["authorization", "content-type", "content-encoding", "traceparent", "x-correlation-id", "x-request-id"];
    expect(listed("access-control-allow-headers").toSorted()).toEqual([...new Set([...declared, ...fixed])].sort());
    await open.close();
  });

  test("may read every header that an answer has", async () => {
    const authenticator: Authenticator = { authenticate: () => Promise.reject(new DomainError("UNAUTHENTICATED")) };
    const open = createTestApi({ databaseUrl: database.appUrl, settings: { corsOrigins: [shop] } });
    const closed = createTestApi({ databaseUrl: database.appUrl, settings: { corsOrigins: [shop] }, authenticator });
    const exposedTo = async (asked: TestApi, path: string, init: RequestInit = {}) => {
      const answer = await asked.app.request(path, { ...init, headers: { origin: shop, ...(init.headers as Record<string, string>) } });
      return (answer.headers.get("access-control-expose-headers") ?? "").split(", ");
    };
    expect(await exposedTo(open, "/api/v1/transfers")).toEqual(expect.arrayContaining(["allow", "x-correlation-id", "x-request-id"]));
    expect(await exposedTo(closed, "/api/v1/transfers", { method: "POST" })).toContain("www-authenticate");
    const zipped = { method: "POST", body: "x", headers: { "content-type": "application/json", "content-encoding": "zstd" } };
    expect(await exposedTo(open, "/api/v1/services", zipped)).toContain("accept-encoding");
    expect(await exposedTo(open, "/docs", { method: "HEAD" })).toContain("content-security-policy");
    await Promise.all([open.close(), closed.close()]);
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
