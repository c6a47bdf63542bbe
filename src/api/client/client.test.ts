import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../../../test/support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { openApiDocument } from "../operations/openapi.ts";
import { CLIENT_ROUTES } from "./client-routes.ts";
import { createClient, SaldoError } from "./client.ts";

const ADDRESS = "http://saldo.test";
let database: TestDatabase;
let api: TestApi;
const sent: Request[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
});
afterAll(async () => {
  await api.close();
  await database.drop();
});

const overApp: typeof fetch = async (input, init) => {
  const request = new Request(input, init);
  sent.push(request.clone());
  return api.app.fetch(request);
};

describe("the typed client", () => {
  it("deposits and reads the balance back with the types of the API's own schemas", async () => {
    const client = createClient({ baseUrl: ADDRESS, fetch: overApp });
    const deposited = await client.deposit({ params: { userId: "анна/1" }, body: { amount: "10.50" }, idempotencyKey: randomUUID() });
    const read = await client.getBalance({ params: { userId: "анна/1" }, query: { currency: "RUB" } });

    expect(deposited.status).toBe(201);
    expect(deposited.body.amount).toBe("10.50");
    expect(read.body).toMatchObject({ userId: "анна/1", available: "10.50", currency: "RUB" });
  });

  it("throws what the API refused, with its code and status", async () => {
    const client = createClient({ baseUrl: ADDRESS, fetch: overApp });
    const refused = await client
      .withdraw({ params: { userId: "nobody" }, body: { amount: "1.00" }, idempotencyKey: randomUUID() })
      .catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(SaldoError);
    expect(refused).toMatchObject({ code: "INSUFFICIENT_FUNDS", status: 422 });
  });

  it("sends its token, asked afresh for each call", async () => {
    let count = 0;
    const client = createClient({ baseUrl: ADDRESS, fetch: overApp, token: () => `token-${(count += 1)}` });
    await client.listServices({});
    await client.listServices({});

    expect(sent.slice(-2).map(({ headers }) => headers.get("authorization"))).toEqual(["Bearer token-1", "Bearer token-2"]);
  });

  it("repeats a keyed call under the same key after 503 and after no answer, and the money moves once", async () => {
    const outages: (Response | Error)[] = [new Response("{}", { status: 503 }), new TypeError("fetch failed")];
    const keys: (string | null)[] = [];
    const client = createClient({
      baseUrl: ADDRESS,
      fetch: async (input, init) => {
        keys.push(new Headers(init?.headers).get("idempotency-key"));
        const outage = outages.shift();
        if (outage instanceof Error) throw outage;
        return outage ?? overApp(input, init);
      },
    });
    await client.deposit({ params: { userId: "repeated" }, body: { amount: "1.00" }, idempotencyKey: "same" });

    expect(keys).toEqual(["same", "same", "same"]);
    const { body } = await client.getBalance({ params: { userId: "repeated" }, query: { currency: "RUB" } });
    expect(body).toMatchObject({ available: "1.00" });
  });

  it.each(["9999999999", "3601", new Date(Date.now() + 7_200_000).toUTCString()])(
    "does not come back at once when it was told to stay away for long: Retry-After: %s",
    async (header) => {
      let calls = 0;
      const client = createClient({
        baseUrl: ADDRESS,
        fetch: async () => {
          calls += 1;
          return new Response("{}", { status: 503, headers: { "retry-after": header } });
        },
      });
      await expect(client.listServices({})).rejects.toMatchObject({ status: 503 });
      expect(calls).toBe(1);
    },
  );

  it("waits for a date that is near", async () => {
    const answers = [new Response("{}", { status: 503, headers: { "retry-after": new Date(Date.now() + 2_000).toUTCString() } })];
    const client = createClient({ baseUrl: ADDRESS, fetch: async (input, init) => answers.shift() ?? overApp(input, init) });
    const beganMs = performance.now();
    expect((await client.listServices({})).status).toBe(200);
    // The date has whole seconds.
    expect(performance.now() - beganMs).toBeGreaterThan(900);
  });

  it("never repeats a call without a key that changes something", async () => {
    let calls = 0;
    const client = createClient({
      baseUrl: ADDRESS,
      fetch: async () => {
        calls += 1;
        return new Response("{}", { status: 503 });
      },
    });
    await expect(client.deleteService({ params: { serviceId: "x" } })).rejects.toMatchObject({ status: 503 });

    expect(calls).toBe(1);
  });

  it("is typed by the schemas: a call without its key or with a wrong place does not compile", () => {
    const client = createClient({ baseUrl: ADDRESS, fetch: overApp });
    const wrong = [
      // @ts-expect-error a deposit needs its Idempotency-Key
      () => client.deposit({ params: { userId: "a" }, body: { amount: "1" } }),
      // @ts-expect-error an amount is text or a number
      () => client.deposit({ params: { userId: "a" }, body: { amount: true }, idempotencyKey: "k" }),
      // @ts-expect-error the user stands in the path
      () => client.getBalance({}),
    ];
    expect(wrong).toHaveLength(3);
  });

  it("has a function for every canonical route of the API but the one that OAuth2 clients call by themselves", () => {
    const known = new Set(Object.values(CLIENT_ROUTES).map(({ method, path }) => `${method} ${path}`));
    const document = openApiDocument(api.app, "test");
    const canonical = Object.entries(document.paths ?? {})
      .filter(([path]) => path.startsWith("/api/v1/"))
      .flatMap(([path, item]) => Object.keys(item as object).map((method) => `${method} ${path}`));

    expect(canonical.length).toBeGreaterThan(20);
    expect(canonical.filter((route) => !known.has(route))).toEqual(["post /api/v1/auth/token"]);
  });
});
