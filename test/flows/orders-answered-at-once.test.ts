import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import type { OrderEnd } from "../../src/contract/orders.ts";
import { createEndedOrders } from "../../src/starters/ended-orders.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createFakePsp } from "../support/fake-psp.ts";
import type { TestAnswer, TestApi } from "../support/http-api.ts";
import { startTwoApis, type TwoApis } from "../support/two-apis.ts";
import { until } from "../support/until.ts";

let apis: TwoApis;
const psp = createFakePsp();
const told: string[] = [];
const waits = createEndedOrders();
const endedOrders = {
  ...waits,
  tell(end: OrderEnd) {
    told.push(end.orderId);
    waits.tell(end);
  },
};
let api: TestApi;
let elsewhere: TestApi;

beforeAll(async () => {
  apis = await startTwoApis(["orders", "payments"], { endedOrders }, psp);
  ({ api, elsewhere } = apis);
});
afterAll(() => apis.close());

const place = (user: string, amount: string, key: string) =>
  api.call("POST", "/api/v1/orders", {
    body: { userId: user, items: [{ serviceId: "gig", amount, quantity: 2 }], comment: `“${key}”` },
    key,
    headers: { prefer: "wait=20" },
  });
const pathOf = (answer: TestAnswer) => answer.headers.get("location") ?? "";
const isEnd = (answer: TestAnswer) => ["COMPLETED", "FAILED"].includes(String(answer.body["sagaState"]));

test("the answer that comes from the commit is what every process reads of the order afterwards", async () => {
  const user = `told-${randomUUID()}`;
  await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "100.00" } });
  const key = randomUUID();
  const placed = await place(user, "10.00", key);
  expect([placed.status, placed.body["sagaState"]]).toEqual([201, "COMPLETED"]);
  expect((await elsewhere.call("GET", pathOf(placed))).body).toEqual(placed.body);
  const again = await place(user, "10.00", key);
  expect([again.status, again.headers.get("idempotency-replayed"), again.body]).toEqual([201, "true", placed.body]);
  expect((await place(user, "11.00", key)).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
});

test("an order by card is told of at its end, and is answered with it", async () => {
  const body = {
    userId: `card-${randomUUID()}`,
    items: [{ serviceId: "gig", amount: "10.00" }],
    payment: { method: "card", card: { number: "4242424242424242", expiry: "12/40", cvc: "123" } },
  };
  const placed = await api.call("POST", "/api/v1/orders", { body, headers: { prefer: "wait=20" } });
  expect([placed.status, placed.body["sagaState"]]).toEqual([201, "COMPLETED"]);
  expect(told).toContain(pathOf(placed).split("/").at(-1));
});

test("nothing is kept for an order whose end nobody waits for", async () => {
  const user = `async-${randomUUID()}`;
  await api.call("POST", "/api/v1/pauses", { body: { scope: "user", id: user, reason: "a test" } });
  const body = { userId: user, items: [{ serviceId: "gig", amount: "1.00" }] };
  const accepted = await api.call("POST", "/api/v1/orders", { body, headers: { prefer: "respond-async" } });
  expect([accepted.status, endedOrders.size()]).toEqual([202, 0]);
  await api.call("DELETE", `/api/v1/pauses?scope=user&id=${user}`);
});

test("orders that are asked for twice, cancelled in both ways and refused at once end as they were answered, each once", async () => {
  const users = Array.from({ length: 3 }, () => `storm-${randomUUID()}`);
  for (const user of users) await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "100.00" } });
  const orders = Array.from({ length: 60 }, (_, n) => ({
    user: users[n % 3] ?? "",
    amount: n % 5 === 0 ? "99.00" : "7.00",
    key: randomUUID(),
  }));
  const answers = (
    await Promise.all(
      orders.map(async ({ user, amount, key }, n) => {
        const placing = [place(user, amount, key), place(user, n % 7 === 0 ? "8.00" : amount, key)];
        if (n % 2 === 0) {
          // The id is known by the location of any answer; a cancellation of both kinds meets the order wherever it is.
          const path = pathOf(await Promise.race(placing));
          const id = path.split("/").at(-1) ?? "";
          void apis.workflows.client.workflow
            .getHandle(orderWorkflowId(id))
            .cancel()
            .catch(() => undefined);
          if (path !== "") await api.call("POST", `${path}/cancel`, { body: { reason: "a test" } });
        }
        return Promise.all(placing);
      }),
    )
  ).flat();
  const paths = [...new Set(answers.map(pathOf).filter((path) => path !== ""))];
  await until("all have ended", async () => (await Promise.all(paths.map((path) => elsewhere.call("GET", path)))).every(isEnd));
  for (const answer of answers.filter(isEnd)) expect((await elsewhere.call("GET", pathOf(answer))).body).toEqual(answer.body);
  const completed = (await Promise.all(paths.map((path) => elsewhere.call("GET", path)))).filter(
    ({ body }) => body["sagaState"] === "COMPLETED",
  );
  expect(completed.length).toBeGreaterThan(0);
  for (const user of users) {
    const spent = completed
      .filter(({ body }) => body["userId"] === user)
      .reduce((sum, { body }) => sum + Number(body["total"] ?? body["amount"]), 0);
    const { body } = await elsewhere.call("GET", `/api/v1/balances/${user}?currency=RUB`);
    expect([Number(body["available"]), body["held"]]).toEqual([100 - spent, "0.00"]);
  }
  expect((await auditBooks(elsewhere.db)).ok).toBe(true);
});
