import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { TestApi } from "../support/http-api.ts";
import { until } from "../support/until.ts";
import { openWebhookBench, signatureOf, type Received, type WebhookBench } from "../support/webhook-bench.ts";
import { createWebhookClient } from "../support/webhook-client.ts";

let bench: WebhookBench;
let api: TestApi;
let received: Received[];
let statuses: number[] = [];

beforeAll(async () => {
  bench = await openWebhookBench(() => statuses.shift());
  ({ api, received } = bench);
});
beforeEach(() => {
  received.length = 0;
  statuses = [];
});
afterEach(() => deleteAll());
afterAll(() => bench.close());

const { register, deleteAll } = createWebhookClient(() => bench);
const dispatch = () => bench.dispatch();

describe("a webhook", () => {
  it("signs with the old secret and the new one while they change, and its secrets are never shown again", async () => {
    const { webhookId, secret } = await register();
    const rotated = await api.call("POST", `/api/v1/webhooks/${webhookId}/secret`);
    await api.call("POST", `/api/v1/webhooks/${webhookId}/test`);
    await dispatch();
    await until("it is received", () => received.length === 1);
    const [message] = received as [Received];
    expect(message.headers["webhook-signature"]).toBe(
      [String(rotated.body["secret"]), secret].map((one) => signatureOf(message, one)).join(" "),
    );
    const shown = [
      await api.call("GET", `/api/v1/webhooks/${webhookId}`),
      await api.call("GET", "/api/v1/webhooks"),
      await api.call("GET", `/api/v1/webhooks/${webhookId}/deliveries`),
    ];
    const kept = JSON.stringify([...(await api.db.execute("select * from webhooks")), ...(await api.db.execute("select * from acts"))]);
    for (const text of [...shown.map((answer) => answer.text), kept]) {
      expect(text).not.toContain(secret.slice("whsec_".length, 30));
      expect(text).not.toContain("whsec_");
    }
  });

  it("gets one new secret for one Idempotency-Key, however often it is asked for", async () => {
    const { webhookId, secret } = await register();
    const path = `/api/v1/webhooks/${webhookId}/secret`;
    const first = await api.call("POST", path, { key: "rotation-1" });
    const between = await api.call("POST", path, { key: "rotation-2" });
    const again = await api.call("POST", path, { key: "rotation-1" });
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect([between.status, between.body["secret"] === first.body["secret"]]).toEqual([201, false]);
    await api.call("POST", `/api/v1/webhooks/${webhookId}/test`);
    await dispatch();
    await until("it is received", () => received.length === 1);
    const [message] = received as [Received];
    const signing = [String(between.body["secret"]), String(first.body["secret"]), secret];
    expect(message.headers["webhook-signature"]).toBe(signing.map((one) => signatureOf(message, one)).join(" "));
    const kept = JSON.stringify([
      ...(await api.db.execute("select * from webhooks")),
      ...(await api.db.execute("select * from idempotency_answers")),
    ]);
    expect(kept).not.toContain("whsec_");
  });

  it("loses no secret that its receiver may know by rotations whose answers are lost; it waits when too many sign", async () => {
    const { webhookId, secret } = await register();
    const path = `/api/v1/webhooks/${webhookId}/secret`;
    const secrets = [secret];
    for (let place = 0; place < 9; place += 1) secrets.unshift(String((await api.call("POST", path, { key: null })).body["secret"]));
    const refused = await api.call("POST", path, { key: null });
    expect([refused.status, refused.body["code"]]).toEqual([429, "RATE_LIMITED"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(86_000);
    await api.call("POST", `/api/v1/webhooks/${webhookId}/test`);
    await dispatch();
    await until("it is received", () => received.length === 1);
    const [message] = received as [Received];
    expect(message.headers["webhook-signature"]).toBe(secrets.map((one) => signatureOf(message, one)).join(" "));

    await api.db.execute(
      `update webhooks set secrets = (select jsonb_agg(case when n = 10 then s || '{"expiresAt":"2020-01-01T00:00:00Z"}' else s end order by n)
         from jsonb_array_elements(secrets) with ordinality as e(s, n)) where id = '${webhookId}'`,
    );
    expect((await api.call("POST", path, { key: null })).status).toBe(201);
    const [row] = await api.db.execute<{ count: number }>(
      `select jsonb_array_length(secrets) as count from webhooks where id = '${webhookId}'`,
    );
    expect(row?.count).toBe(10);
  });
});
