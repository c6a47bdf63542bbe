import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const lines: Record<string, unknown>[] = [];
const ignore = () => {};
let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  const info = (fields: object) => void lines.push({ ...fields });
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, log: { debug: ignore, info, warn: ignore, error: ignore } });
});
afterAll(async () => {
  await api.close();
  await database.drop();
});

describe("the line of a request in the log", () => {
  it("names who asked, and the order, reservation or user that the path names, so that one of them can be searched for", async () => {
    const order = "00b40f55-a428-834e-8c41-0bc335c272be";
    await api.call("GET", `/api/v1/orders/${order}`);
    await api.call("GET", `/api/v1/reservations/${order}`);
    await api.call("GET", "/api/v1/balances/alice");
    expect(lines).toMatchObject([
      { route: "/api/v1/orders/{orderId}", orderId: order, subject: expect.any(String) as string },
      { route: "/api/v1/reservations/{reservationId}", reservationId: order },
      { route: "/api/v1/balances/{userId}", userId: "alice" },
    ]);
  });
});
