import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DomainError } from "../../src/base/errors.ts";
import { startLegacyApi } from "../support/legacy-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

describe("who may use the earlier interface", () => {
  const ALL = [
    ["GET", "/api?id=1"],
    ["POST", "/api"],
    ["DELETE", "/api/users?id=1"],
    ["POST", "/api/reserve"],
    ["GET", "/api/reserve?user_id=1&service_id=1&order_id=1"],
    ["DELETE", "/api/reserve"],
    ["POST", "/api/purchase"],
    ["POST", "/api/services"],
    ["GET", "/api/services?id=1"],
    ["DELETE", "/api/services?id=1"],
    ["GET", "/api/report?year=2022&month=1"],
    ["POST", "/api/report"],
    ["GET", "/api/report/2022/1/report.csv"],
  ] as const;

  test.each([
    ["UNAUTHENTICATED", 401, "The request needs a valid access token."],
    ["UNAVAILABLE", 503, "A part that this request needs is not reachable."],
  ] as const)("when the authenticator says %s every path answers %i with a message", async (code, status, message) => {
    const guarded = await startLegacyApi({
      databaseUrl: database.appUrl,
      authenticator: {
        authenticate: async () => {
          throw new DomainError(code, "inner words of the authenticator");
        },
      },
    });
    for (const [method, path] of ALL) {
      const answer = await guarded.send(method, path);
      expect([answer.status, answer.headers["content-type"]], `${method} ${path}`).toEqual([status, "application/json"]);
      if (status === 503) expect([answer.body, answer.headers["retry-after"]]).toEqual([JSON.stringify({ message }), "1"]);
      else expect(Object.keys(JSON.parse(answer.body) as object)).toEqual(["message"]);
    }
    await guarded.close();
  });

  test("a user may call none of it, a service all but the reports and the deletion of users and services", async () => {
    const as = (role: "user" | "service") =>
      startLegacyApi({
        databaseUrl: database.appUrl,
        authenticator: { authenticate: async () => ({ subject: "1", roles: [role] }) },
      });
    const [user, service] = await Promise.all([as("user"), as("service")]);
    for (const [method, path] of ALL) {
      expect((await user.send(method, path)).status, `user ${method} ${path}`).toBe(403);
      const refused =
        path.startsWith("/api/report") || path.startsWith("/api/users") || (method === "DELETE" && path.startsWith("/api/services"));
      const { status } = await service.send(method, path);
      if (refused) expect(status, `service ${method} ${path}`).toBe(403);
      else expect(status, `service ${method} ${path}`).not.toBe(403);
    }
    await Promise.all([user.close(), service.close()]);
  });
});
