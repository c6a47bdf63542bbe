import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessTable } from "../../src/api/http/declared-access.ts";
import { parseJsonKeepingNumbers } from "../../src/base/raw-json.ts";
import { createTestApi, TEST_SETTINGS, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, starters: { userOfOrder: async () => undefined } });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

const DEPOSIT = "/api/v1/balances/mallory/deposits";
const chunked = (text: string) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < text.length; at += 1_000) controller.enqueue(new TextEncoder().encode(text.slice(at, at + 1_000)));
      controller.close();
    },
  });

describe("every refusal is problem details", () => {
  test.each([
    ["GET", "/nowhere", 404, "NOT_FOUND"],
    ["GET", "/api/v1/orders/unknown/nothing", 404, "NOT_FOUND"],
    ["DELETE", "/api/v1/orders", 405, "METHOD_NOT_ALLOWED"],
    ["PUT", "/api/v1/balances/anna", 405, "METHOD_NOT_ALLOWED"],
    ["POST", "/healthz", 405, "METHOD_NOT_ALLOWED"],
    ["GET", "/api/v1/services/none", 404, "SERVICE_NOT_FOUND"],
    ["GET", "/api/v1/reservations/none", 404, "RESERVATION_NOT_FOUND"],
    ["GET", "/api/v1/orders/none", 404, "ORDER_NOT_FOUND"],
  ])("%s %s answers %d %s", async (method, path, status, code) => {
    const answer = await api.call(method, path);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({
      type: `urn:saldo:error:${code}`,
      status,
      code,
      instance: path.split("?")[0],
      correlationId: answer.headers.get("x-correlation-id"),
    });
  });

  test("a method that an address does not take names those it takes", async () => {
    expect((await api.call("PATCH", "/api/v1/services")).headers.get("allow")).toBe("GET, HEAD, POST");
    expect((await api.call("GET", "/api/v1/balances/anna/deposits")).headers.get("allow")).toBe("POST");
  });

  test("every address names exactly the methods of its own routes", async () => {
    const methodsOf = new Map<string, Set<string>>();
    for (const { method, path } of accessTable(api.app)) {
      // A path with an ending is to the router the path without it.
      const own = methodsOf.get(path.replace(/\}\.\w+$/, "}")) ?? new Set();
      methodsOf.set(path.replace(/\}\.\w+$/, "}"), own.add(method));
      if (method === "GET") own.add("HEAD");
    }
    for (const [path, methods] of methodsOf) {
      const answer = await api.app.request(path.replaceAll(/\{\w+\}/g, "x"), { method: "PROPFIND" });
      expect([path, answer.status, answer.headers.get("allow")]).toEqual([path, 405, [...methods].sort().join(", ")]);
    }
  });

  test.each(["/api/v1/reservations/lines", "/api/v1/reservations/confirm", "/api/v1/reservations/release", "/api/v1/dead-letters/redrive"])(
    "%s is a path for POST and no id",
    async (path) => {
      for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
        const answer = await api.app.request(path, { method });
        expect([method, answer.status, answer.headers.get("allow")]).toEqual([method, 405, "POST"]);
      }
    },
  );
});

describe("bodies", () => {
  test.each([
    ["broken JSON", '{"amount":', 400, "MALFORMED_JSON"],
    ["nothing", "", 400, "MALFORMED_JSON"],
    ["NaN", '{"amount":NaN}', 400, "MALFORMED_JSON"],
    ["bytes that are not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, "MALFORMED_JSON"],
    ["a list", "[]", 400, "INVALID_REQUEST"],
    ["null", "null", 400, "INVALID_REQUEST"],
    ["depth 10,000", "[".repeat(10_000), 400, "INVALID_REQUEST"],
    ["a name twice", '{"amount":"1","amount":"2"}', 400, "INVALID_REQUEST"],
    ["__proto__", '{"amount":"1","__proto__":{"role":"admin"}}', 400, "INVALID_REQUEST"],
    ["constructor", '{"amount":"1","constructor":{"prototype":{}}}', 400, "INVALID_REQUEST"],
    ["an unknown field", '{"amount":"1","role":"admin"}', 400, "INVALID_REQUEST"],
    ["an amount that is no sum", '{"amount":true}', 400, "INVALID_REQUEST"],
    ["NUL in a text", '{"amount":"1","comment":"a\\u0000b"}', 400, "INVALID_REQUEST"],
    ["half of a surrogate pair", '{"amount":"1","comment":"\\ud800"}', 400, "INVALID_REQUEST"],
    ["a line break in a comment", '{"amount":"1","comment":"a\\r\\nSet-Cookie: x"}', 400, "INVALID_REQUEST"],
    ["more than 64 KB", `{"amount":"1","comment":"${"x".repeat(65_536)}"}`, 413, "PAYLOAD_TOO_LARGE"],
  ])("%s is refused", async (_what, rawBody, status, code) => {
    const answer = await api.call("POST", DEPOSIT, { rawBody });
    expect([answer.status, answer.body["code"]]).toEqual([status, code]);
    expect(({} as Record<string, unknown>)["role"]).toBeUndefined();
  });

  test("a body that tells no length is cut off at the limit", async () => {
    const answer = await api.call("POST", DEPOSIT, { rawBody: chunked(`{"comment":"${"x".repeat(70_000)}"}`) });
    expect([answer.status, answer.body["code"]]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    expect((await api.call("POST", DEPOSIT, { rawBody: chunked('{"amount":"1"}') })).status).toBe(201);
  });

  // What stands after the limit is no JSON: were it read, the answer would be MALFORMED_JSON. So the work ends at the limit.
  test.each([
    ["100,000 levels", `${"[".repeat(33)}!`],
    ["100,000 names", `{${Array.from({ length: 10_001 }, (_, n) => `"${n.toString(36)}":1`).join(",")},!`],
    ["100,000 elements", `[${Array.from({ length: 10_001 }, () => "1").join(",")},!`],
  ])("%s are refused at the limit, whatever follows", (_what, text) => {
    expect(() => parseJsonKeepingNumbers(text)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
  });

  test("more names than any request has are refused", async () => {
    const rawBody = `{${Array.from({ length: 10_900 }, (_, n) => `"${n.toString(36)}":1`).join(",")}}`;
    const roomy = createTestApi({ databaseUrl: database.appUrl, settings: { maxBodyBytes: 1_000_000 } });
    expect((await roomy.call("POST", DEPOSIT, { rawBody })).body["code"]).toBe("INVALID_REQUEST");
    expect((await api.call("POST", DEPOSIT, { rawBody })).status).toBe(rawBody.length > TEST_SETTINGS.maxBodyBytes ? 413 : 400);
    await roomy.close();
  });

  // A8 and A9 of what may be wrong with a sum; the rest of it is in money.test.ts and http-deposits.test.ts.
  test.each(["0", "-1", "1.555", "1e3", "9223372036854775808", "1".repeat(1_000), "1_000", " 1", "+1", "0x1"])(
    "the amount %s is refused",
    async (amount) => {
      const answer = await api.call("POST", DEPOSIT, { body: { amount } });
      expect([answer.status, answer.body["code"]]).toEqual([422, "INVALID_AMOUNT"]);
    },
  );

  test.each(["ZZZ", "rub", "RUBX"])("the currency %s is refused", async (currency) => {
    expect((await api.call("POST", DEPOSIT, { body: { amount: "1", currency } })).status).toBe(422);
  });

  test.each([
    [null, "IDEMPOTENCY_KEY_REQUIRED"],
    ["", "INVALID_IDEMPOTENCY_KEY"],
    ["x".repeat(256), "INVALID_IDEMPOTENCY_KEY"],
    ["a\tb", "INVALID_IDEMPOTENCY_KEY"],
    ["ключ".normalize(), "INVALID_IDEMPOTENCY_KEY"],
  ])("the Idempotency-Key %j is refused", async (key, code) => {
    const sent = key === null ? {} : { "idempotency-key": Buffer.from(key, "utf8").toString("latin1") };
    const answer = await api.call("POST", DEPOSIT, { body: { amount: "1" }, key: null, headers: sent });
    expect([answer.status, answer.body["code"]]).toEqual([400, code]);
  });

  test.each([
    ["right to left", "\u202Eabc\u202C"],
    ["four bytes", "😀𝔘"],
    ["composed", "é".normalize("NFC")],
    ["decomposed", "é".normalize("NFD")],
    ["SQL", "'; drop table operations; --"],
    ["a format of printf and a template", "%s %n ${process.env.HOME} {{7*7}}"],
  ])("%s text is kept exactly", async (_what, comment) => {
    const userId = `text-${randomUUID()}`;
    expect((await api.call("POST", `/api/v1/balances/${userId}/deposits`, { body: { amount: "1", comment } })).status).toBe(201);
    const rows = await api.db.execute(sql`select comment from operations where user_id = ${userId}`);
    expect(rows.map((row) => row["comment"])).toEqual([comment]);
  });

  test("a body without a content type is refused and never taken for an empty one", async () => {
    const response = await api.app.request("/api/v1/orders/none/cancel", {
      method: "POST",
      body: new Uint8Array([0x7b, 0x7d]),
      headers: { "content-length": "2" },
    });
    expect(response.status).toBe(415);
  });

  test("every wrong place is named by its pointer", async () => {
    const answer = await api.call("POST", "/api/v1/orders", {
      body: {
        userId: 7,
        items: [
          { serviceId: "a", amount: "1", quantity: 0 },
          { serviceId: "", amount: "1", "a/b~c": 1 },
        ],
        paymentMethod: "gold",
      },
    });
    expect(answer.status).toBe(400);
    expect((answer.body["errors"] as { pointer: string }[]).map(({ pointer }) => pointer).sort()).toEqual([
      "/items/0/quantity",
      "/items/1/a~1b~0c",
      "/items/1/serviceId",
      "/paymentMethod",
    ]);
  });

  test.each([9007199254740992, -1, 1.5])("the number %d is no id", async (userId) => {
    const answer = await api.call("POST", "/api/v1/reservations", {
      rawBody: `{"userId":${userId},"serviceId":"s","orderId":"o","amount":"1"}`,
    });
    expect(answer.body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer: "/userId" }] });
  });
});
