import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMetrics } from "../../src/adapters/metrics/metrics.ts";
import type { Authenticator } from "../../src/api/http/guard.ts";
import { DomainError } from "../../src/base/errors.ts";
import { createTestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

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
