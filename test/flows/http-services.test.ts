import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { placeHoldOperation, releaseHoldOperation } from "../../src/domain/ledger/hold-operations.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

const origin = { caller: "test", correlationId: "c" };
const add = (body: unknown) => api.call("POST", "/api/v1/services", { body });

describe("services over HTTP", () => {
  test("one service is added once and found", async () => {
    const first = await add({ id: "lessons", name: "Guitar lessons" });
    expect(first.status).toBe(201);
    expect(first.headers.get("location")).toBe("/api/v1/services/lessons");
    const again = await add({ id: "lessons", name: "Guitar lessons" });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    expect((await api.call("GET", "/api/v1/services/lessons")).body).toEqual(first.body);
  });

  test("an id that is a number is its digits, and a service without one gets one", async () => {
    expect((await add({ id: 42, name: "Number" })).body["id"]).toBe("42");
    expect((await add({ name: "Nameless id" })).body["id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("a list is added as a whole", async () => {
    const answer = await add({
      services: [
        { id: "l1", name: "List 1" },
        { id: "l2", name: "List 2" },
      ],
    });
    expect(answer.status).toBe(201);
    expect(answer.body["services"]).toMatchObject([{ id: "l1" }, { id: "l2" }]);
  });

  test.each([
    [
      "an id that has another name",
      [
        { id: "new-1", name: "New 1" },
        { id: "taken", name: "Other" },
      ],
    ],
    [
      "a name that has another id",
      [
        { id: "new-2", name: "New 2" },
        { id: "other", name: "Taken" },
      ],
    ],
  ])("a list with %s adds nothing", async (_what, services) => {
    await add({ id: "taken", name: "Taken" });
    const answer = await add({ services });
    expect([answer.status, answer.body["code"]]).toEqual([409, "SERVICE_NAME_TAKEN"]);
    expect((await api.call("GET", `/api/v1/services/${services[0]?.id}`)).status).toBe(404);
  });

  test("a list that names one twice is refused with its place", async () => {
    const answer = await add({
      services: [
        { id: "twice", name: "A" },
        { id: "twice", name: "B" },
      ],
    });
    expect(answer.body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer: "/services/1/id" }] });
  });

  test.each([
    [{ services: [] }],
    [{ services: [{ id: "x" }] }],
    [{ services: [{ id: "x", name: "X", price: 1 }] }],
    [{ id: "unassigned", name: "Mine" }],
    [{ id: "x", name: "" }],
  ])("%j is refused", async (body) => {
    expect((await add(body)).body["code"]).toBe("INVALID_REQUEST");
  });

  test("fifty requests to add the same list at once add it once", async () => {
    const services = Array.from({ length: 5 }, (_, place) => ({ id: `race-${place}`, name: `Race ${place}` }));
    const answers = await Promise.all(Array.from({ length: 50 }, () => add({ services })));
    expect(answers.filter(({ status }) => status === 201)).not.toHaveLength(0);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });

  test("names that only look alike are two services", async () => {
    expect((await add({ id: "nfc", name: "caf\u00e9" })).status).toBe(201);
    expect((await add({ id: "nfd", name: "cafe\u0301" })).status).toBe(201);
  });

  test("pages go through all of them once", async () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await api.call("GET", `/api/v1/services?limit=4${cursor === undefined ? "" : `&cursor=${cursor}`}`);
      const services = page.body["services"] as { id: string }[];
      expect(services.length).toBeLessThanOrEqual(4);
      seen.push(...services.map(({ id }) => id));
      cursor = page.body["nextCursor"] as string | undefined;
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(seen.toSorted());
    expect(seen).toContain("lessons");
    expect(seen).toContain("race-4");
  });
});

describe("deleting services over HTTP", () => {
  const remove = (id: string) => api.call("DELETE", `/api/v1/services/${id}`);
  const run = (text: string) => api.db.execute(sql.raw(text));

  test("a service is gone once, from the list as well, and its name is free", async () => {
    await add({ id: "bye", name: "Bye" });
    const answer = await remove("bye");
    expect([answer.status, answer.text]).toEqual([204, ""]);
    expect((await api.call("GET", "/api/v1/services/bye")).body["code"]).toBe("SERVICE_NOT_FOUND");
    const again = await remove("bye");
    expect([again.status, again.body["code"]]).toEqual([404, "SERVICE_NOT_FOUND"]);
    expect((await add({ id: "other-bye", name: "Bye" })).status).toBe(201);
  });

  test("its id can be taken up again, under another name", async () => {
    await add({ id: "phoenix", name: "Old" });
    await remove("phoenix");
    const answer = await add({ id: "phoenix", name: "New" });
    expect([answer.status, answer.body["name"]]).toEqual([201, "New"]);
    expect((await api.call("GET", "/api/v1/services/phoenix")).body["name"]).toBe("New");
    expect((await add({ id: "phoenix", name: "New" })).status).toBe(200);
  });

  test("many who take up one id at once agree on one service", async () => {
    await add({ id: "rush", name: "Rush" });
    await remove("rush");
    const answers = await Promise.all(Array.from({ length: 10 }, (_, place) => add({ id: "rush", name: place < 5 ? "Rush 1" : "Rush 2" })));
    const name = (await api.call("GET", "/api/v1/services/rush")).body["name"];
    for (const [place, { status }] of answers.entries()) expect(status === 409).toBe(name !== (place < 5 ? "Rush 1" : "Rush 2"));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  });

  test("a deleted service is not sold by the next request, although it was known a moment ago", async () => {
    await add({ id: "cached", name: "Cached" });
    const order = () => api.call("POST", "/api/v1/orders", { body: { userId: "u", items: [{ serviceId: "cached", amount: "1" }] } });
    expect((await order()).body["code"]).toBe("UNAVAILABLE");
    await remove("cached");
    expect((await order()).body).toMatchObject({ code: "UNKNOWN_SERVICE", errors: [{ pointer: "/items/0/serviceId" }] });
  });

  test("one with an open reservation or a running order stays", async () => {
    await add({
      services: [
        { id: "held", name: "Held" },
        { id: "ordered", name: "Ordered" },
      ],
    });
    await api.ledger.post(depositOperation({ key: "d", userId: "u", currency: "RUB", amountMinor: 100n, comment: "", origin }));
    const hold = { holdId: "h", userId: "u", serviceId: "held", orderId: "o", currency: "RUB", comment: "", origin };
    await api.ledger.post(
      placeHoldOperation({ ...hold, key: "h1", amountMinor: 100n, expiresAt: "2030-01-01T00:00:00Z", requestHash: "r" }),
    );
    expect((await remove("held")).body["code"]).toBe("SERVICE_IN_USE");
    await api.ledger.post(releaseHoldOperation({ ...hold, key: "h2", effect: "release" }));
    expect((await remove("held")).status).toBe(204);

    await run(`insert into orders (id, user_id, status, saga_state, currency, total_minor, payment_method, comment, request_hash, workflow_id, caller, correlation_id, created_at, updated_at)
      values ('o1', 'u', 'PENDING', 'PAYMENT_PENDING', 'RUB', 1, 'wallet', '', 'h', 'w', 'c', 'c', now(), now())`);
    await run("insert into order_items (order_id, line_no, service_id, quantity, amount_minor) values ('o1', 1, 'ordered', 1, 1)");
    const refused = await remove("ordered");
    expect([refused.status, refused.body["code"]]).toEqual([409, "SERVICE_IN_USE"]);
    await run("update orders set saga_state = 'COMPLETED', status = 'CONFIRMED', version = version + 1 where id = 'o1'");
    expect((await remove("ordered")).status).toBe(204);
  });
});
