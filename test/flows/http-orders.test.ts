import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestApi, type TestAnswer, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;
let withoutTemporal: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters });
  withoutTemporal = createTestApi({ databaseUrl: database.appUrl });
  await api.call("POST", "/api/v1/services", {
    body: {
      services: [
        { id: "gig", name: "Gig" },
        { id: "record", name: "Record" },
      ],
    },
  });
});

afterAll(async () => {
  await Promise.all([api.close(), withoutTemporal.close()]);
  await workflows.close();
  await database.drop();
});

const deposit = (user: string, amount: string) => api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount } });
const balance = async (user: string) => (await api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body;
const items = (...amounts: string[]) => amounts.map((amount, place) => ({ serviceId: place % 2 === 0 ? "gig" : "record", amount }));
const order = (user: string, amounts: string[], options: { key?: string; prefer?: string } = {}) =>
  api.call("POST", "/api/v1/orders", {
    body: { userId: user, items: items(...amounts) },
    ...(options.key === undefined ? {} : { key: options.key }),
    headers: { prefer: options.prefer ?? "wait=20" },
  });

async function untilClosed(path: string): Promise<Record<string, unknown>> {
  let answer: TestAnswer | undefined;
  await until(`${path} has ended`, async () => {
    answer = await api.call("GET", path);
    return answer.status === 200 && ["COMPLETED", "FAILED"].includes(String(answer.body["sagaState"]));
  });
  return answer?.body ?? {};
}

/** Places an order of 10.00 that waits before its capture until `resume`. */
async function pausedOrder(user: string): Promise<string> {
  await api.call("POST", "/api/v1/pauses", { body: { scope: "user", id: user, reason: "for a test" } });
  const placed = await order(user, ["10"], { prefer: "respond-async" });
  const path = placed.headers.get("location") ?? "";
  await until(`${path} waits`, async () => (await api.call("GET", path)).body["waitingFor"] !== undefined);
  return path;
}
const resume = (user: string) => api.call("DELETE", `/api/v1/pauses?scope=user&id=${user}`);

describe("orders over HTTP", () => {
  test("a paid order answers COMPLETED in time and its money is spent", async () => {
    await deposit("anna", "100");
    const answer = await order("anna", ["30", "12.50"]);
    expect(answer.status).toBe(201);
    expect(answer.headers.get("preference-applied")).toBe("wait=20");
    expect(answer.body).toMatchObject({ userId: "anna", status: "CONFIRMED", sagaState: "COMPLETED", total: "42.50", currency: "RUB" });
    expect(answer.body["items"]).toEqual([
      { lineNo: 1, serviceId: "gig", quantity: 1, amount: "30.00", held: "0.00", captured: "30.00", givenBack: "0.00" },
      { lineNo: 2, serviceId: "record", quantity: 1, amount: "12.50", held: "0.00", captured: "12.50", givenBack: "0.00" },
    ]);
    expect(answer.headers.get("location")).toBe(`/api/v1/orders/${String(answer.body["orderId"])}`);
    expect(await balance("anna")).toMatchObject({ available: "57.50", held: "0.00" });
    expect((await api.call("GET", answer.headers.get("location") ?? "")).body).toEqual(answer.body);
  });

  test("an order that is not covered is there, FAILED with the reason, and holds nothing", async () => {
    await deposit("bob", "10");
    const answer = await order("bob", ["9", "1.01"]);
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ status: "CANCELLED", sagaState: "FAILED", failure: { code: "INSUFFICIENT_FUNDS" } });
    expect(await balance("bob")).toMatchObject({ available: "10.00", held: "0.00" });
  });

  test("a repeat is the same order; of many that come at once the others are told to wait for the first", async () => {
    await deposit("carl", "50");
    const answers = await Promise.all(Array.from({ length: 20 }, () => order("carl", ["20"], { key: "carl-1" })));
    const [first, ...others] = answers.filter(({ status }) => status === 201);
    expect(others).toEqual([]);
    expect(first?.body["sagaState"]).toBe("COMPLETED");
    for (const { status, body, headers } of answers.filter((answer) => answer !== first))
      expect([status, body["code"], headers.get("retry-after")]).toEqual([409, "REQUEST_IN_FLIGHT", "1"]);
    const again = await order("carl", ["20"], { key: "carl-1" });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.text).toBe(first?.text);
    expect(await balance("carl")).toMatchObject({ available: "30.00" });
  });

  test("a repeat of an ended order needs no Temporal, nor does reading it", async () => {
    await deposit("cora", "5");
    const first = await order("cora", ["5"], { key: "cora-1" });
    const again = await withoutTemporal.call("POST", "/api/v1/orders", { key: "cora-1", body: { userId: "cora", items: items("5") } });
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect((await withoutTemporal.call("GET", first.headers.get("location") ?? "")).body).toEqual(first.body);
  });

  test.each([
    ["another amount", ["21"]],
    ["another item", ["20", "1"]],
  ])("the same key with %s is refused and changes nothing", async (_what, amounts) => {
    await deposit("dora", "100");
    await order("dora", ["20"], { key: "dora-1" });
    const before = await balance("dora");
    const other = await order("dora", amounts, { key: "dora-1" });
    expect([other.status, other.body["code"]]).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect((await balance("dora"))["available"]).toBe(before["available"]);
  });

  test("two different orders under one key at once: one of them is refused, then and afterwards", async () => {
    await deposit("duel", "100");
    const place = (amount: string) => order("duel", [amount], { key: "duel-1" });
    const answers = await Promise.all([place("10"), place("11")]);
    expect(answers.map(({ status }) => status)).toEqual(expect.arrayContaining([201, 409]));
    const afterwards = [await place("10"), await place("11")];
    expect(afterwards.map(({ status }) => status)).toEqual(expect.arrayContaining([201, 422]));
    expect(afterwards.find(({ status }) => status === 201)?.text).toBe(answers.find(({ status }) => status === 201)?.text);
  });

  test("without waiting the answer is 202 with the place to ask at", async () => {
    await deposit("eva", "10");
    const answer = await order("eva", ["4"], { prefer: "respond-async" });
    expect(answer.status).toBe(202);
    expect(answer.headers.get("preference-applied")).toBe("respond-async");
    expect(await untilClosed(answer.headers.get("location") ?? "")).toMatchObject({ sagaState: "COMPLETED" });
  });

  test("an unknown service is refused with its place, before anything is started", async () => {
    const answer = await api.call("POST", "/api/v1/orders", {
      body: {
        userId: "eva",
        items: [
          { serviceId: "gig", amount: "1" },
          { serviceId: "ghost", amount: "1" },
        ],
      },
    });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: "UNKNOWN_SERVICE", errors: [{ pointer: "/items/1/serviceId" }] });
  });

  test("items that add up to more than an operation may carry are refused", async () => {
    expect((await order("eva", ["9999999999.99", "0.01"])).body["code"]).toBe("INVALID_AMOUNT");
  });

  test("a cancel ends in one definite state, money and state agreeing", async () => {
    await deposit("fred", "1000");
    const cancelled = async (path: string) => {
      const cancel = await api.call("POST", `${path}/cancel`, { body: { reason: "fred thought again" } });
      return { cancel, closed: await untilClosed(path) };
    };
    // Before its capture a cancellation wins, always.
    const waiting = await Promise.all([pausedOrder("fred"), pausedOrder("fred"), pausedOrder("fred")]);
    for (const { cancel, closed } of await Promise.all(waiting.map(cancelled))) {
      expect([cancel.status, cancel.body]).toEqual([200, closed]);
      expect(closed).toMatchObject({ status: "CANCELLED", sagaState: "FAILED", failure: { code: "ORDER_CANCELLED" } });
      expect(JSON.stringify(closed["failure"])).toContain("fred thought again");
    }
    expect(await balance("fred")).toMatchObject({ available: "1000.00", held: "0.00" });
    await resume("fred");
    // Beside its capture either may win, and the answer says which.
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, async (_, place) => {
        const placed = await order("fred", ["10"], { key: `fred-${place}`, prefer: "respond-async" });
        const { cancel, closed } = await cancelled(placed.headers.get("location") ?? "");
        const outcome = [cancel.status, cancel.body["code"], closed["status"], closed["sagaState"]].join(" ");
        expect(["200  CANCELLED FAILED", "409 ORDER_STATE_CONFLICT CONFIRMED COMPLETED"]).toContain(outcome);
        return closed["sagaState"];
      }),
    );
    const completed = outcomes.filter((state) => state === "COMPLETED").length;
    expect(await balance("fred")).toMatchObject({ available: `${1000 - 10 * completed}.00`, held: "0.00" });
  });

  test("the comment of an order can be changed while it is PENDING, and nothing of it afterwards", async () => {
    await deposit("ines", "15");
    const path = await pausedOrder("ines");
    const before = (await api.call("GET", path)).body;
    const changed = await api.call("PATCH", path, { body: { comment: "to the back door" } });
    expect([changed.status, changed.body["comment"]]).toEqual([200, "to the back door"]);
    const after = (await api.call("GET", path)).body;
    const { comment: _comment, updatedAt: _updatedAt, ...rest } = before;
    expect(after).toMatchObject({ ...rest, comment: "to the back door" });
    await resume("ines");
    const completed = await untilClosed(path);
    expect(completed).toMatchObject({ status: "CONFIRMED", comment: "to the back door" });
    const failed = await order("ines", ["10"]);
    for (const ended of [path, failed.headers.get("location") ?? ""]) {
      const standing = (await api.call("GET", ended)).body;
      const late = await api.call("PATCH", ended, { body: { comment: "too late" } });
      expect([late.status, late.body["code"]]).toEqual([409, "ORDER_STATE_CONFLICT"]);
      expect((await api.call("GET", ended)).body).toEqual(standing);
    }
    const unknown = await api.call("PATCH", "/api/v1/orders/none", { body: { comment: "of none" } });
    expect([unknown.status, unknown.body["code"]]).toEqual([404, "ORDER_NOT_FOUND"]);
  });

  test("a completed order cannot be cancelled, a cancelled one stays so", async () => {
    await deposit("gus", "10");
    const done = await order("gus", ["10"]);
    expect((await api.call("POST", `${done.headers.get("location")}/cancel`)).body["code"]).toBe("ORDER_STATE_CONFLICT");
    const failed = await order("gus", ["10"]);
    const cancel = await api.call("POST", `${failed.headers.get("location")}/cancel`);
    expect([cancel.status, cancel.body["status"]]).toEqual([200, "CANCELLED"]);
    expect((await api.call("POST", "/api/v1/orders/none/cancel")).body["code"]).toBe("ORDER_NOT_FOUND");
  });

  test("lists go through all of a user's orders, newest first, and keep to their filter", async () => {
    await deposit("hugo", "7");
    for (let count = 0; count < 7; count += 1) await order("hugo", ["1"]);
    await order("hugo", ["1"]);
    const seen: { orderId: string; createdAt: string; userId: string; status: string }[] = [];
    let cursor: string | undefined;
    do {
      const page = await api.call("GET", `/api/v1/orders?userId=hugo&limit=3${cursor === undefined ? "" : `&cursor=${cursor}`}`);
      seen.push(...(page.body["orders"] as typeof seen));
      cursor = page.body["nextCursor"] as string | undefined;
    } while (cursor !== undefined);
    expect(new Set(seen.map(({ orderId }) => orderId)).size).toBe(8);
    expect(seen.every(({ userId }) => userId === "hugo")).toBe(true);
    expect(seen.map(({ createdAt }) => createdAt)).toEqual(
      seen
        .map(({ createdAt }) => createdAt)
        .toSorted()
        .toReversed(),
    );
    expect((await api.call("GET", "/api/v1/orders?userId=hugo&status=CANCELLED")).body["orders"]).toHaveLength(1);
  });
});
