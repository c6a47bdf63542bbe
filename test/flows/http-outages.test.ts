import type { Client } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Log } from "../../src/adapters/log.ts";
import { createTemporalBreaker } from "../../src/adapters/temporal/temporal-breaker.ts";
import { DomainError } from "../../src/base/errors.ts";
import { createStarters } from "../../src/starters/index.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const lines: { fields: object; message: string }[] = [];
const note = (fields: object, message: string) => void lines.push({ fields, message });
const log: Log = { debug: note, info: note, warn: note, error: note };

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, log });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

const DEPOSIT = "/api/v1/balances/mallory/deposits";

describe("outages", () => {
  test("Temporal that is gone is a 503 with Retry-After for orders, and deposits go on", async () => {
    await api.call("POST", "/api/v1/services", { body: { id: "music", name: "Music" } });
    const order = await api.call("POST", "/api/v1/orders", { body: { userId: "u", items: [{ serviceId: "music", amount: "1" }] } });
    expect(order.status).toBe(503);
    expect(order.headers.get("retry-after")).toBe("1");
    expect(order.body["code"]).toBe("UNAVAILABLE");
    expect((await api.call("POST", DEPOSIT, { body: { amount: "1" } })).status).toBe(201);
  });

  test("Temporal that hangs is waited for by five orders; those after them are refused at once, with the time to come again", async () => {
    let asked = 0;
    const never = () => {
      asked += 1;
      return new Promise<never>(() => {});
    };
    const client = { withDeadline: (_ms: number, work: () => unknown) => work(), workflow: { start: never } } as unknown as Client;
    const breaker = createTemporalBreaker({ probeMs: 200, log });
    const starters = createStarters({ client, eager: false, deadlineMs: 200, breaker });
    const hanging = createTestApi({ databaseUrl: database.appUrl, log, starters });
    const order = () => hanging.call("POST", "/api/v1/orders", { body: { userId: "u", items: [{ serviceId: "music", amount: "1" }] } });
    for (let n = 0; n < 5; n += 1) expect((await order()).body["code"]).toBe("DEADLINE_EXCEEDED");
    const refused = await Promise.all([order(), order(), order()]);
    expect(asked).toBe(5);
    for (const answer of refused) {
      expect([answer.status, answer.body["code"]]).toEqual([503, "UNAVAILABLE"]);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(29);
    }
    expect((await hanging.call("POST", DEPOSIT, { body: { amount: "1" } })).status).toBe(201);
    await hanging.close();
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
        { name: "redis", needed: false, check: () => Promise.reject(new DomainError("UNAVAILABLE", "Redis takes no writes (READONLY)")) },
        { name: "kafka", needed: false, check: gone },
      ],
    });
    const degraded = await ready.call("GET", "/readyz");
    expect([degraded.status, degraded.body["status"]]).toEqual([200, "degraded"]);
    expect(degraded.body["parts"]).toMatchObject([
      { name: "postgres", ok: true },
      { name: "redis", ok: false, reason: "Redis takes no writes (READONLY)" },
      { name: "kafka", ok: false },
    ]);
    // An error that is not Saldo's own may hold an address.
    expect(degraded.text).not.toContain("gone");
    await ready.close();
    const notReady = createTestApi({ databaseUrl: database.appUrl, checks: [{ name: "postgres", needed: true, check: gone }] });
    const answer = await notReady.call("GET", "/readyz");
    expect(answer.status).toBe(503);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ code: "UNAVAILABLE", parts: [{ name: "postgres", ok: false }] });
    await notReady.close();
  });
});
