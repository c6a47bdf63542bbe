import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
