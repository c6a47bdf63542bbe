import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createTemporal, type TemporalLink } from "../../src/adapters/temporal.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createRelay } from "../../src/outbox/relay.ts";
import { createWebhookDispatcher, deliveriesOf } from "../../src/outbox/webhooks.ts";
import { createWebhookStarter } from "../../src/starters/webhooks.ts";
import { markPublished, readUnpublished } from "../../src/store/outbox/outbox.ts";
import { insertDeliveries, listWaitingDeliveries, markDispatched } from "../../src/store/webhooks/webhook-deliveries.ts";
import { createWebhook, listActiveWebhooks } from "../../src/store/webhooks/webhooks.ts";
import { createWebhookPort } from "../../workers/parts/webhook-port.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const ENCRYPTION_SECRET = Buffer.alloc(32, 7).toString("base64");
const received: Received[] = [];
let statuses: number[] = [];
const receiver = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(statuses.shift() ?? 200).end();
  });
});

let database: TestDatabase;
let api: TestApi;
let workflows: TestWorkflows;
let temporal: TemporalLink;
let url = "";
const created: string[] = [];

beforeAll(async () => {
  await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  database = await createTestDatabase();
  const encryptionKey = Buffer.from(ENCRYPTION_SECRET, "base64");
  api = createTestApi({ databaseUrl: database.appUrl, settings: { webhooks: { allowHttp: true, allowPrivate: true, encryptionKey } } });
  const port = createWebhookPort({
    WEBHOOK_ALLOW_HTTP: true,
    WEBHOOK_ALLOW_PRIVATE: true,
    WEBHOOK_TIMEOUT_MS: 2_000,
    WEBHOOK_ENCRYPTION_SECRET: ENCRYPTION_SECRET,
  });
  workflows = await startTestWorkflows(database.appUrl, ["webhooks"], SILENT_LOG, undefined, port);
  temporal = await createTemporal({
    address: inject("temporalAddress"),
    namespace: workflows.namespace,
    deadlineMs: 10_000,
    logger: SILENT_LOG,
  });
});
beforeEach(() => {
  received.length = 0;
  statuses = [];
});
afterEach(async () => {
  for (const webhookId of created.splice(0)) await api.call("DELETE", `/api/v1/webhooks/${webhookId}`);
});
afterAll(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await temporal.close();
  await workflows.close();
  await api.close();
  await database.drop();
});

async function register(body: Record<string, unknown> = {}): Promise<{ webhookId: string; secret: string }> {
  const answer = await api.call("POST", "/api/v1/webhooks", { body: { url, ...body } });
  expect(answer.status).toBe(201);
  const webhookId = String(answer.body["webhookId"]);
  created.push(webhookId);
  return { webhookId, secret: String(answer.body["secret"]) };
}

const dispatch = () =>
  createWebhookDispatcher({
    listWaiting: (limit) => listWaitingDeliveries(api.db, limit),
    markDispatched: (ids) => markDispatched(api.db, ids),
    start: createWebhookStarter({ client: temporal.client, deadlineMs: 10_000 }),
    pollMs: 10,
    maxPauseMs: 10,
    log: SILENT_LOG,
  }).step();

/** The relay over the real outbox, with a Kafka that takes everything. */
async function relay(): Promise<void> {
  const one = createRelay({
    takeLease: async () => true,
    renewLeaseMs: 1_000,
    readUnpublished: (input) => readUnpublished(api.db, input),
    markPublished: (ids) => markPublished(api.db, ids),
    countFailedAttempt: async () => {},
    send: async () => {},
    onPublished: async (events) => void (await insertDeliveries(api.db, deliveriesOf(events, await listActiveWebhooks(api.db)))),
    batchSize: 100,
    pollMs: 10,
    backoff: { firstMs: 10, maxMs: 10 },
    nowMs: () => performance.now(),
    log: SILENT_LOG,
  });
  while ((await one.step()) > 0);
}

async function deliveries(webhookId: string): Promise<Record<string, unknown>[]> {
  const answer = await api.call("GET", `/api/v1/webhooks/${webhookId}/deliveries`);
  return answer.body["deliveries"] as Record<string, unknown>[];
}

const signatureOf = ({ headers, body }: Received, secret: string) => {
  const content = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  return `v1,${createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"))
    .update(content)
    .digest("base64")}`;
};
const deposit = (key: string) =>
  api.ledger.post(
    depositOperation({
      key,
      userId: "ann",
      currency: "RUB",
      amountMinor: 100n,
      comment: "c",
      origin: { caller: "t", correlationId: "c-1" },
    }),
  );

describe("a webhook", () => {
  it("gets each event of its types once, signed with its secret, whatever the relay repeats", async () => {
    const { webhookId, secret } = await register({ eventTypes: ["saldo.operation.*"] });
    const { webhookId: otherId } = await register({ eventTypes: ["saldo.order.*"] });
    await deposit("first");
    await relay();
    await dispatch();
    await until("it is received", () => received.length === 1);
    const [message] = received as [Received];
    expect(message.headers["webhook-signature"]).toBe(signatureOf(message, secret));
    expect(Math.abs(Number(message.headers["webhook-timestamp"]) - Date.now() / 1_000)).toBeLessThan(60);
    const event = JSON.parse(message.body) as Record<string, unknown>;
    expect(event).toMatchObject({ id: message.headers["webhook-id"], type: "saldo.operation.deposit", subject: "ann" });
    await until("the log says so", async () => (await deliveries(webhookId))[0]?.["status"] === "delivered");
    expect(await deliveries(otherId)).toEqual([]);

    const again = { id: String(event["id"]), type: String(event["type"]), body: message.body };
    expect(await insertDeliveries(api.db, deliveriesOf([again], await listActiveWebhooks(api.db)))).toEqual([]);
  });

  it("is tried again after seconds, and again at once when somebody asks for it", async () => {
    statuses = [500, 500, 302];
    const { webhookId } = await register();
    const asked = await api.call("POST", `/api/v1/webhooks/${webhookId}/test`);
    expect(asked.status).toBe(202);
    await dispatch();
    let failed: Record<string, unknown> | undefined;
    await until("the first attempt is in the log", async () => {
      [failed] = await deliveries(webhookId);
      return failed?.["attempts"] === 1;
    });
    expect(failed).toMatchObject({ status: "pending", responseStatus: 500, lastError: "the receiver answered 500" });
    const waitMs = Date.parse(String(failed?.["nextAttemptAt"])) - Date.parse(String(failed?.["updatedAt"]));
    expect(Math.round(waitMs / 1_000)).toBeGreaterThanOrEqual(4);
    expect(waitMs).toBeLessThan(6_000);

    // After the second attempt the next one comes by itself in minutes, so that no slow machine takes it for one that was asked for.
    await until("it was tried again after seconds", async () => (await deliveries(webhookId))[0]?.["attempts"] === 2);
    const path = `/api/v1/webhooks/${webhookId}/deliveries/${String(asked.body["deliveryId"])}/redeliver`;
    for (const attempts of [3, 4]) {
      expect((await api.call("POST", path)).status).toBe(202);
      await dispatch();
      await until(`attempt ${attempts}`, async () => (await deliveries(webhookId))[0]?.["attempts"] === attempts);
    }
    expect((await deliveries(webhookId))[0]).toMatchObject({ status: "delivered", responseStatus: 200, eventType: "saldo.webhook.test" });
    expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);

    // Delivered already, and asked for once more: its workflow has ended.
    expect((await api.call("POST", path)).status).toBe(202);
    await dispatch();
    await until("it is sent once more", () => received.length === 5);
  });

  it("is tried again by itself", async () => {
    statuses = [503];
    const { webhookId } = await register();
    await api.call("POST", `/api/v1/webhooks/${webhookId}/test`);
    await dispatch();
    await until("the retry is received", () => received.length === 2);
    await until("it is delivered", async () => (await deliveries(webhookId))[0]?.["status"] === "delivered");
  });

  it("is disabled by 410 Gone, until somebody enables it", async () => {
    statuses = [410];
    const { webhookId } = await register();
    const asked = await api.call("POST", `/api/v1/webhooks/${webhookId}/test`);
    await dispatch();
    await until("it is disabled", async () => (await api.call("GET", `/api/v1/webhooks/${webhookId}`)).body["status"] === "disabled");
    await until("it is abandoned", async () => (await deliveries(webhookId))[0]?.["status"] === "abandoned");
    const redeliver = `/api/v1/webhooks/${webhookId}/deliveries/${String(asked.body["deliveryId"])}/redeliver`;
    expect((await api.call("POST", `/api/v1/webhooks/${webhookId}/test`)).body["code"]).toBe("WEBHOOK_DISABLED");
    expect((await api.call("POST", redeliver)).body["code"]).toBe("WEBHOOK_DISABLED");
    await deposit("while disabled");
    await relay();
    expect(await deliveries(webhookId)).toHaveLength(1);

    expect((await api.call("POST", `/api/v1/webhooks/${webhookId}/enable`)).body["status"]).toBe("active");
    await api.call("POST", redeliver);
    await dispatch();
    await until("it is delivered", async () => (await deliveries(webhookId))[0]?.["status"] === "delivered");
  });

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

  it("that is silent has few attempts under way and holds up no other; what waits for its turn counts as no attempt", async () => {
    let open = 0;
    let most = 0;
    const silent = createServer((request) => {
      open += 1;
      most = Math.max(most, open);
      request.on("close", () => (open -= 1));
    });
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    const slow = await register({ url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}/` });
    const { webhookId } = await register();
    const EVENTS = 7;
    for (const id of [slow.webhookId, webhookId])
      for (let place = 0; place < EVENTS; place += 1) await api.call("POST", `/api/v1/webhooks/${id}/test`);
    const startedAtMs = performance.now();
    await dispatch();
    await until("the other has them all", () => received.length === EVENTS);
    const tookMs = performance.now() - startedAtMs;
    await until("each was tried", async () => (await deliveries(slow.webhookId)).every(({ attempts }) => Number(attempts) >= 1));
    expect(most).toBeLessThanOrEqual(5);
    expect(tookMs).toBeLessThan(10_000);
    const log = await deliveries(slow.webhookId);
    expect(log.map(({ lastError }) => lastError)).toEqual(Array.from({ length: EVENTS }, () => "the receiver did not answer within 2 s"));
    silent.closeAllConnections();
    silent.close();
  });

  it("that switches to another protocol has failed its attempt and is tried again", async () => {
    const switching = createServer();
    switching.on("request", (request) =>
      request.socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    );
    await new Promise<void>((done) => switching.listen(0, "127.0.0.1", done));
    const { webhookId } = await register({ url: `http://127.0.0.1:${(switching.address() as AddressInfo).port}/` });
    await api.call("POST", `/api/v1/webhooks/${webhookId}/test`);
    await dispatch();
    await until("the attempt is in the log", async () => (await deliveries(webhookId))[0]?.["attempts"] === 1);
    expect((await deliveries(webhookId))[0]).toMatchObject({
      status: "pending",
      responseStatus: 101,
      lastError: "the receiver answered 101",
    });
    switching.closeAllConnections();
    switching.close();
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

  it("that is deleted gets nothing more", async () => {
    const { webhookId } = await register();
    await api.call("POST", `/api/v1/webhooks/${webhookId}/test`);
    expect((await api.call("DELETE", `/api/v1/webhooks/${webhookId}`)).status).toBe(204);
    await dispatch();
    expect((await api.call("GET", `/api/v1/webhooks/${webhookId}`)).body["code"]).toBe("WEBHOOK_NOT_FOUND");
    await until("its delivery is abandoned", async () => {
      const [row] = await api.db.execute<{ status: string }>(`select status from webhook_deliveries where webhook_id = '${webhookId}'`);
      return row?.status === "abandoned";
    });
    expect(received).toEqual([]);
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
