import { afterAll, beforeAll, expect, it } from "vitest";
import type { Authenticator } from "../../src/api/http/guard.ts";
import { DomainError } from "../../src/base/errors.ts";
import { createOrder } from "../../src/store/orders/orders.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const ended = new Set<string>();
/** Tokens of this test are their subjects. */
const authenticator: Authenticator = {
  authenticate: async (authorization = "") => {
    const subject = authorization.replace("Bearer ", "");
    if (ended.has(subject)) throw new DomainError("UNAUTHENTICATED");
    return { subject, roles: ["service"] };
  },
};

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({
    databaseUrl: database.appUrl,
    authenticator,
    settings: { streams: { perSubject: 2, inAll: 3 }, streamHeartbeatMs: 200 },
  });
  await createOrder(api.db, {
    orderId: "watched",
    workflowId: "order/watched",
    requestHash: "h",
    userId: "anna",
    currency: "RUB",
    paymentMethod: "wallet",
    totalMinor: "100",
    lines: [{ lineNo: 1, serviceId: "gig", quantity: 1, amountMinor: "100" }],
    comment: "for a test",
    caller: "shop",
    correlationId: "c",
  } as unknown as Parameters<typeof createOrder>[1]);
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

const open = (subject: string) => api.app.request("/api/v1/orders/watched/events", { headers: { authorization: `Bearer ${subject}` } });
const close = async (response: Response) => {
  await response.body?.cancel();
};

it("a stream ends within a heartbeat when its token has", async () => {
  const stream = await open("gone");
  expect(stream.status).toBe(200);
  const text = stream.text();
  ended.add("gone");
  const startedAtMs = performance.now();
  expect(await text).toContain("event: state");
  expect(performance.now() - startedAtMs).toBeLessThan(5_000);
});

it("a stream whose token holds goes on past its heartbeats", async () => {
  const stream = await open("stays");
  const reader = stream.body?.getReader();
  let text = "";
  while (!text.includes("still here")) text += Buffer.from((await reader?.read())?.value ?? []).toString();
  await reader?.cancel();
  expect(text).toContain("event: state");
});

it("nobody has more streams than their share, all together have an end, and a place is free again once its stream has ended", async () => {
  const streams = [await open("one"), await open("one")];
  const refused = await open("one");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  streams.push(await open("two"));
  expect((await open("three")).status).toBe(503);
  await Promise.all(streams.map(close));
  const again = await open("one");
  expect(again.status).toBe(200);
  await close(again);
});

it("an id that the stream never gave, as one of a later time, is none", async () => {
  const headers = { authorization: "Bearer later", "last-event-id": "999999999" };
  const stream = await api.app.request("/api/v1/orders/watched/events", { headers });
  const reader = stream.body?.getReader();
  let text = "";
  while (text.split("\n\n").length < 2) text += Buffer.from((await reader?.read())?.value ?? []).toString();
  await reader?.cancel();
  expect(text).toMatch(/^event: state\ndata: .*"version":"1"/);
});
