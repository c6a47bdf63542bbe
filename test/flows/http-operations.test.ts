import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Principal } from "../../src/contract/identity.ts";
import { purchaseOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;
let principal: Principal = { subject: "shop", roles: ["service"] };

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, authenticator: { authenticate: async () => principal } });
  for (const amount of ["30", "10", "20"])
    await api.call("POST", "/api/v1/balances/anna/deposits", { body: { amount, comment: `salary ${amount}` } });
  await api.call("POST", "/api/v1/transfers", { body: { fromUserId: "anna", toUserId: "bob", amount: "5", comment: "dinner" } });
  await api.call("POST", "/api/v1/balances/anna/withdrawals", { body: { amount: "1000" } });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

async function as<Value>(who: Principal, act: () => Promise<Value>): Promise<Value> {
  const before = principal;
  principal = who;
  try {
    return await act();
  } finally {
    principal = before;
  }
}

interface Listed {
  readonly operationId: string;
  readonly kind: string;
  readonly amount: string;
  readonly comment: string;
}

const list = (user: string, query = "") => api.call("GET", `/api/v1/balances/${user}/operations${query}`);
const listed = async (user: string, query = "") => (await list(user, query)).body["operations"] as Listed[];

describe("a user's operations over HTTP", () => {
  test("stand newest first, with what they were for, their change and the balance after", async () => {
    const operations = await listed("anna");
    expect(operations.map(({ comment }) => comment)).toEqual(["dinner", "salary 20", "salary 10", "salary 30"]);
    expect(operations[0]).toMatchObject({
      kind: "transfer",
      status: "done",
      amount: "5.00",
      currency: "RUB",
      change: { available: "-5.00", held: "0.00" },
      balanceAfter: { available: "55.00" },
      peerUserId: "bob",
    });
    expect((await listed("bob"))[0]).toMatchObject({
      change: { available: "5.00" },
      balanceAfter: { available: "5.00" },
      peerUserId: "anna",
    });
    expect((await list("nobody")).body).toEqual({ userId: "nobody", operations: [] });
  });

  test("are sorted by date and amount both ways", async () => {
    const amounts = async (sort: string) => (await listed("anna", `?sort=${sort}`)).map(({ amount }) => amount);
    expect(await amounts("amount")).toEqual(["5.00", "10.00", "20.00", "30.00"]);
    expect(await amounts("-amount")).toEqual(["30.00", "20.00", "10.00", "5.00"]);
    expect(await amounts("date")).toEqual(["30.00", "10.00", "20.00", "5.00"]);
    expect(await amounts("-date")).toEqual(["5.00", "20.00", "10.00", "30.00"]);
  });

  test.each([
    "sort=id%22%3Bdrop%20table%20operations",
    "sort=recorded_at",
    "limit=0",
    "limit=101",
    "limit=-1",
    "limit=1000000000",
    "kind=gift",
    "includeRefused=1",
    "from=yesterday",
    "role=admin",
  ])("the query %s is refused", async (query) => {
    const answer = await list("anna", `?${query}`);
    expect([answer.status, answer.body["code"]]).toEqual([400, "INVALID_REQUEST"]);
  });

  test("a currency that is not known is refused", async () => {
    const answer = await list("anna", "?currency=XXX");
    expect([answer.status, answer.body["code"]]).toEqual([422, "INVALID_CURRENCY"]);
  });

  test.each(["-date", "date", "amount", "-amount"])(
    "by %s come page by page, each once; the cursor needs no filters beside it",
    async (sort) => {
      const whole = (await listed("anna", `?sort=${sort}&kind=deposit`)).map(({ operationId }) => operationId);
      const seen: string[] = [];
      let query = `?sort=${sort}&kind=deposit&limit=1`;
      for (let pages = 0; pages < 5; pages += 1) {
        const { body } = await list("anna", query);
        seen.push(...(body["operations"] as Listed[]).map(({ operationId }) => operationId));
        if (body["nextCursor"] === undefined) break;
        query = `?limit=1&cursor=${body["nextCursor"] as string}`;
      }
      expect(seen).toEqual(whole);
      expect(whole).toHaveLength(3);
    },
  );

  test("a cursor of another list, another sort or another filter, or one made up, is refused", async () => {
    const cursor = (await list("anna", "?limit=1&sort=amount")).body["nextCursor"] as string;
    const forged = Buffer.from(JSON.stringify(["operations of anna", '{"sort":"id"}', "RUB", "1", "1"])).toString("base64url");
    const crowded = Buffer.from(JSON.stringify(["operations of anna", '{"role":"admin"}', "RUB", "1", "1"])).toString("base64url");
    for (const [user, query] of [
      ["bob", `?cursor=${cursor}`],
      ["anna", `?cursor=${cursor}&sort=date`],
      ["anna", `?cursor=${cursor}&kind=deposit`],
      ["anna", "?cursor=nonsense"],
      ["anna", `?cursor=${forged}`],
      ["anna", `?cursor=${crowded}`],
    ] as const)
      expect((await list(user, query)).body, `${user}${query}`).toMatchObject({ code: "INVALID_CURSOR", errors: [{ pointer: "cursor" }] });
    expect((await list("anna", `?cursor=${cursor}&sort=amount`)).status).toBe(200);
    const byDefault = (await list("anna", "?limit=1")).body["nextCursor"] as string;
    expect((await list("anna", `?cursor=${byDefault}&sort=-date&includeRefused=false`)).status).toBe(200);
  });

  test("refused ones are there when asked for", async () => {
    expect(await listed("anna", "?includeRefused=true&limit=1")).toMatchObject([
      {
        kind: "withdrawal",
        status: "refused",
        refusalCode: "INSUFFICIENT_FUNDS",
        amount: "1000.00",
        change: { available: "0.00" },
        balanceAfter: {},
      },
    ]);
  });

  test("belong to the user: another one finds nothing, as if there were none", async () => {
    const own = await as({ subject: "anna", roles: ["user"] }, () => list("anna"));
    expect(own.status).toBe(200);
    const foreign = await as({ subject: "eve", roles: ["user"] }, () => list("anna"));
    expect([foreign.status, foreign.body["code"]]).toEqual([404, "NOT_FOUND"]);
  });
});

describe("one operation over HTTP", () => {
  test("has its postings, and is seen by both sides and by nobody else", async () => {
    const id = (await listed("anna"))[0]?.operationId ?? "";
    const path = `/api/v1/operations/${id}`;
    const answer = await api.call("GET", path);
    expect(answer.body).toMatchObject({
      operationId: id,
      kind: "transfer",
      userId: "anna",
      peerUserId: "bob",
      caller: "shop",
      comment: "dinner",
      postings: [{ debit: { kind: "available", owner: "anna" }, credit: { kind: "available", owner: "bob" }, amount: "5.00" }],
      links: { self: path, why: `${path}/why` },
    });
    expect(answer.text).not.toContain("55.00");
    for (const subject of ["anna", "bob"]) expect((await as({ subject, roles: ["user"] }, () => api.call("GET", path))).status).toBe(200);
    for (const suffix of ["", "/why"]) {
      const foreign = await as({ subject: "eve", roles: ["user"] }, () => api.call("GET", path + suffix));
      expect([foreign.status, foreign.body["code"]]).toEqual([404, "OPERATION_NOT_FOUND"]);
    }
  });

  test.each(["0", "999999999999999999", "99999999999999999999999", "1e3", "-1", "abc", "1'--"])("the id %s finds nothing", async (id) => {
    const answer = await api.call("GET", `/api/v1/operations/${encodeURIComponent(id)}`);
    expect([answer.status, answer.body["code"]]).toEqual([404, "OPERATION_NOT_FOUND"]);
  });

  test("tells why in words, in the language that was asked for", async () => {
    const id = (await listed("anna"))[0]?.operationId ?? "";
    const why = (language?: string) =>
      api.call("GET", `/api/v1/operations/${id}/why`, language === undefined ? {} : { headers: { "accept-language": language } });
    const english = await why();
    expect(english.body["story"]).toContain('5.00 RUB went from user "anna" to user "bob".');
    expect(english.body["story"]).toContain("dinner");
    expect(english.body["story"]).toContain('"shop" asked for it');
    const russian = await why("de, ru-RU;q=0.8, en;q=0.5");
    expect(russian.headers.get("content-language")).toBe("ru");
    expect(russian.body["story"]).toContain('Пользователь "anna" перевёл пользователю "bob" 5.00 RUB.');
  });

  test("tells the message or the workflow it came from, and why it was refused", async () => {
    const posted = await api.ledger.post(
      purchaseOperation({
        key: "event:purchases@2:41",
        userId: "kafka-user",
        currency: "RUB",
        amountMinor: 100n,
        comment: "purchase paid by wallet",
        origin: {
          caller: "kafka",
          correlationId: "c",
          workflowId: "events/purchases/2/40-49",
          runId: "r",
          position: { topic: "purchases", partition: 2, offset: "41" },
        },
        paymentMethod: "wallet",
        occurredAt: "2026-01-01T00:00:00Z",
        serviceId: "guitar",
      }),
    );
    const path = `/api/v1/operations/${posted.operationId}`;
    expect((await api.call("GET", path)).body).toMatchObject({
      event: { topic: "purchases", partition: 2, offset: "41" },
      status: "refused",
      postings: [],
    });
    const story = String((await api.call("GET", `${path}/why`)).body["story"]);
    for (const part of ["refused", "does not cover", "purchases/2/41", "events/purchases/2/40-49", "2026-01-01"])
      expect(story).toContain(part);
  });
});
