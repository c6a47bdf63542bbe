import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Authenticator } from "../../src/api/http/guard.ts";
import { createOrder } from "../../src/store/orders/orders.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

/** Tokens of this test are their subjects: `shop` is a service, everybody else a user. */
const authenticator: Authenticator = {
  authenticate: async (authorization = "") => {
    const subject = authorization.replace("Bearer ", "");
    return { subject, roles: [subject === "shop" ? "service" : "user"] };
  },
};
const as = (subject: string) => ({ authorization: `Bearer ${subject}` });

let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, authenticator });
  await api.call("POST", "/api/v1/services", { headers: as("shop"), body: { services: [{ id: "gig", name: "Gig" }] } });
  await api.call("POST", "/api/v1/balances/anna/deposits", { headers: as("shop"), body: { amount: "1000" } });
});

afterAll(async () => {
  await api.close();
  await workflows.close();
  await database.drop();
});

async function accepted(by: string): Promise<string> {
  const placed = await api.call("POST", "/api/v1/orders", {
    headers: { ...as(by), prefer: "respond-async" },
    body: { userId: "anna", items: [{ serviceId: "gig", amount: "10" }], comment: "as placed" },
  });
  expect(placed.status).toBe(202);
  return placed.headers.get("location") ?? "";
}

async function firstOf(stream: Response): Promise<string> {
  const reader = stream.body?.getReader();
  const text = Buffer.from((await reader?.read())?.value ?? []).toString();
  await reader?.cancel();
  return text;
}

describe("an order that was accepted while nothing runs its workflow", () => {
  beforeAll(() => workflows.stopWorkers());

  it.each(["shop", "anna"])("is there for every route when %s asks", async (subject) => {
    const path = await accepted(subject);
    const get = (route: string) => api.call("GET", `${path}${route}`, { headers: as(subject) });
    const [stream, order, timeline, refunds, changed] = await Promise.all([
      api.app.request(`${path}/events`, { headers: as(subject) }),
      get(""),
      get("/timeline"),
      get("/refunds"),
      api.call("PATCH", path, { headers: as(subject), body: { comment: "as changed" } }),
    ]);
    expect([stream.status, await firstOf(stream)]).toEqual([200, expect.stringContaining('"sagaState":"STARTED"')]);
    expect([order.status, order.body]).toMatchObject([200, { status: "PENDING", sagaState: "STARTED" }]);
    expect([timeline.status, refunds.status, refunds.body]).toEqual([200, 200, { refunds: [] }]);
    expect([changed.status, changed.body["comment"]]).toEqual([200, "as changed"]);
    const listed = await api.call("GET", "/api/v1/orders?userId=anna", { headers: as(subject) });
    expect(listed.body["orders"]).toContainEqual(expect.objectContaining({ orderId: changed.body["orderId"] }));
  });

  it("is there for the routes that ask its workflow, which cannot answer yet", async () => {
    const path = await accepted("anna");
    const refund = await api.call("POST", `${path}/refunds`, { headers: as("shop"), body: { reason: "too early" } });
    expect([refund.status, refund.body["code"]]).toEqual([409, "ORDER_STATE_CONFLICT"]);
    const plan = await api.call("GET", `${path}/undo-plan`, { headers: as("anna") });
    expect([plan.status, plan.body["code"]]).toEqual([503, "DEADLINE_EXCEEDED"]);
  });

  it("is not there for another user", async () => {
    const path = await accepted("anna");
    for (const route of ["", "/events", "/timeline", "/refunds", "/undo-plan"])
      expect((await api.call("GET", `${path}${route}`, { headers: as("boris") })).body["code"]).toBe("ORDER_NOT_FOUND");
  });

  it("goes on when its workflow runs: what was changed stays, what is cancelled is undone", async () => {
    const [kept, ended] = [await accepted("anna"), await accepted("anna")];
    await api.call("PATCH", kept, { headers: as("anna"), body: { comment: "as changed" } });
    const cancelling = api.call("DELETE", ended, { headers: as("anna") });
    await workflows.restartWorkers();
    const cancelled = await cancelling;
    expect([cancelled.status, cancelled.body["status"]]).toEqual([200, "CANCELLED"]);
    await until("the other one has ended", async () => {
      const { body } = await api.call("GET", kept, { headers: as("anna") });
      return body["sagaState"] === "COMPLETED" && body["comment"] === "as changed";
    });
  });
});

describe("an order that was accepted while its row could not be written", () => {
  const path = "/api/v1/orders/unwritten";
  const row = {
    orderId: "unwritten",
    workflowId: "order/unwritten",
    requestHash: "h",
    userId: "anna",
    currency: "RUB",
    paymentMethod: "wallet",
    totalMinor: "100",
    lines: [{ lineNo: 1, serviceId: "gig", quantity: 1, amountMinor: "100" }],
    comment: "",
    caller: "shop",
    correlationId: "c",
  } as const;
  let unwritten: TestApi;
  beforeAll(() => {
    unwritten = createTestApi({
      databaseUrl: database.appUrl,
      authenticator,
      starters: { userOfOrder: async (orderId) => (orderId === "unwritten" ? "anna" : undefined), orderStatus: async () => undefined },
    });
  });
  afterAll(() => unwritten.close());

  it("is accepted still, comes later where its row is needed, and is nothing to another user", async () => {
    for (const subject of ["shop", "anna"]) {
      const order = await unwritten.call("GET", path, { headers: as(subject) });
      expect([order.status, order.body]).toMatchObject([202, { orderId: "unwritten", status: "PENDING", sagaState: "STARTED" }]);
      for (const route of ["/timeline", "/refunds", "/undo-plan"]) {
        const later = await unwritten.call("GET", `${path}${route}`, { headers: as(subject) });
        expect([later.status, later.body["code"], later.headers.get("retry-after")]).toEqual([503, "UNAVAILABLE", "1"]);
      }
    }
    expect((await unwritten.call("GET", path, { headers: as("boris") })).status).toBe(404);
    expect((await unwritten.call("GET", `${path}/timeline`, { headers: as("boris") })).status).toBe(404);
    expect((await unwritten.call("GET", "/api/v1/orders/none/timeline", { headers: as("anna") })).status).toBe(404);
  });

  it("has a stream that waits for its first state", async () => {
    const stream = await unwritten.app.request(`${path}/events`, { headers: as("anna") });
    expect(stream.status).toBe(200);
    await createOrder(api.db, row);
    expect(await firstOf(stream)).toContain('"sagaState":"STARTED"');
  });
});
