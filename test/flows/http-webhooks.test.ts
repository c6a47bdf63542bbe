import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createWebhook } from "../../src/store/webhooks/webhooks.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { createWebhookClient, LOCAL_WEBHOOKS } from "../support/webhook-client.ts";

/** Nothing is sent there. */
const url = "http://127.0.0.1:9/hook";
let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, settings: { webhooks: { ...LOCAL_WEBHOOKS, encryptionKey: Buffer.alloc(32, 7) } } });
});
afterEach(() => deleteAll());
afterAll(async () => {
  await api.close();
  await database.drop();
});

const { register, deleteAll } = createWebhookClient(() => ({ api, url }));

describe("a webhook", () => {
  it("is registered once for one Idempotency-Key, with the same secret, also by requests at the same time", async () => {
    const body = { url, eventTypes: ["saldo.order.*"], description: "once" };
    const post = (key: string, change = {}) => api.call("POST", "/api/v1/webhooks", { key, body: { ...body, ...change } });
    const together = await Promise.all([post("once"), post("once"), post("once")]);
    const first = together.find(({ status }) => status === 201);
    for (const answer of together)
      if (answer.status === 201) expect(answer.body).toEqual(first?.body);
      else expect([answer.status, answer.body["code"]]).toEqual([409, "REQUEST_IN_FLIGHT"]);
    const again = await post("once");
    expect([again.status, again.body, again.headers.get("idempotency-replayed")]).toEqual([201, first?.body, "true"]);
    expect((await post("once", { description: "other" })).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
    const [kept] = await api.db.execute<{ n: string }>("select count(*) as n from webhooks where description in ('once', 'other')");
    expect(kept?.n).toBe("1");
    await api.call("DELETE", `/api/v1/webhooks/${String(first?.body["webhookId"])}`);
    expect((await post("once")).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
  });

  it("is one of a hundred at most, and a deleted one makes room", async () => {
    const { webhookId } = await register();
    const [{ count } = { count: 0 }] = await api.db.execute<{ count: number }>(
      "select count(*)::integer as count from webhooks where deleted_at is null",
    );
    await api.db.execute(
      `insert into webhooks (id, url, event_types, description, secrets, created_by)
       select 'filler-' || n, 'https://shop.example/', array['saldo.none.*'], '', '[]', 't' from generate_series(1, ${100 - count}) n`,
    );
    const refused = await api.call("POST", "/api/v1/webhooks", { body: { url } });
    expect([refused.status, refused.body["code"]]).toEqual([409, "TOO_MANY_WEBHOOKS"]);
    // Also where many ask at the same moment, after each of them saw room.
    const parts = { url, eventTypes: [], description: "", createdBy: "t", sealedSecret: "plain.x" };
    expect(await createWebhook(api.db, { webhookId: "one-too-many", ...parts })).toBeUndefined();
    await api.call("DELETE", `/api/v1/webhooks/${webhookId}`);
    await register();
    await api.db.execute("update webhooks set deleted_at = clock_timestamp() where id like 'filler-%'");
  });

  it.each([
    "http://shop.example/",
    "https://127.0.0.1/",
    "https://[::ffff:127.0.0.1]/",
    "https://2130706433/",
    "https://metadata.internal/",
  ])("is not registered for %s", async (forbidden) => {
    const strict = createTestApi({ databaseUrl: database.appUrl });
    const answer = await strict.call("POST", "/api/v1/webhooks", { body: { url: forbidden } });
    expect([answer.status, answer.body["code"]]).toEqual([422, "INVALID_WEBHOOK_URL"]);
    await strict.close();
  });

  it("is one of a list that is read by pages", async () => {
    const ids = [(await register()).webhookId, (await register()).webhookId, (await register()).webhookId];
    const first = await api.call("GET", "/api/v1/webhooks?limit=2");
    const second = await api.call("GET", `/api/v1/webhooks?limit=2&cursor=${String(first.body["nextCursor"])}`);
    const listed = [first, second]
      .flatMap((answer) => answer.body["webhooks"] as { webhookId: string }[])
      .map(({ webhookId }) => webhookId);
    expect(listed).toEqual(ids.toReversed());
    expect(second.body["nextCursor"]).toBeUndefined();
  });
});
