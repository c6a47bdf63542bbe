import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { deliveriesOf } from "../../src/outbox/webhooks.ts";
import { createWebhookStarter } from "../../src/starters/webhooks.ts";
import { insertDeliveries } from "../../src/store/webhooks/webhook-deliveries.ts";
import { listActiveWebhooks } from "../../src/store/webhooks/webhooks.ts";
import type { TestApi } from "../support/http-api.ts";
import { until } from "../support/until.ts";
import { openWebhookBench, signatureOf, type Received, type WebhookBench } from "../support/webhook-bench.ts";
import { createWebhookClient } from "../support/webhook-client.ts";

let bench: WebhookBench;
let api: TestApi;
let received: Received[];
let statuses: (number | { status: number; retryAfter: string })[] = [];

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
const deliveries = (webhookId: string) => bench.deliveries(webhookId);
const relay = () => bench.relay();
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
    const hasAll = async () => {
      await dispatch();
      return received.length === EVENTS;
    };
    await until("the other has them all", hasAll);
    const tookMs = performance.now() - startedAtMs;
    await until("each was tried", async () => {
      await dispatch();
      return (await deliveries(slow.webhookId)).every(({ attempts }) => Number(attempts) >= 1);
    });
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
});

describe("a receiver that asks to be left alone", () => {
  const asked = (webhookId: string) => api.call("POST", `/api/v1/webhooks/${webhookId}/test`);

  it.each([429, 503])(
    "is, for as long as the Retry-After of its %d says, with all of its events; an operator's wish ends the rest",
    async (status) => {
      statuses = [{ status, retryAfter: "40" }];
      const { webhookId } = await register();
      await asked(webhookId);
      await dispatch();
      let first: Record<string, unknown> | undefined;
      await until("the first attempt is in the log", async () => {
        first = (await deliveries(webhookId)).at(-1);
        return first?.["attempts"] === 1;
      });
      const waitMs = Date.parse(String(first?.["nextAttemptAt"])) - Date.parse(String(first?.["updatedAt"]));
      expect(Math.round(waitMs / 1_000)).toBe(40);
      const [event] = deliveriesOf([{ id: "outbox/later", type: "saldo.order.completed", body: "{}" }], [{ webhookId, eventTypes: [] }]);
      await insertDeliveries(api.db, event === undefined ? [] : [event]);
      expect(await dispatch()).toBe(0);
      expect(received).toHaveLength(1);
      await api.call("POST", `/api/v1/webhooks/${webhookId}/deliveries/${String(first?.["deliveryId"])}/redeliver`);
      await until("both are dispatched and delivered", async () => {
        await dispatch();
        return (await deliveries(webhookId)).every((one) => one["status"] === "delivered");
      });
      expect(received).toHaveLength(3);
    },
  );

  it("holds up an attempt that was on its way already", async () => {
    const { webhookId } = await register();
    await asked(webhookId);
    await api.db.execute(sql`update webhooks set rest_until = clock_timestamp() + interval '2 seconds' where id = ${webhookId}`);
    const beganMs = performance.now();
    await createWebhookStarter({ client: bench.client, deadlineMs: 10_000 })({
      webhookId,
      eventId: String((await deliveries(webhookId))[0]?.["eventId"]),
      deliveryId: String((await deliveries(webhookId))[0]?.["deliveryId"]),
    });
    await until("it is received", () => received.length === 1);
    expect(performance.now() - beganMs).toBeGreaterThan(1_900);
    expect((await deliveries(webhookId))[0]).toMatchObject({ attempts: 1, status: "delivered" });
  });
});

describe("receivers that hang or fail", () => {
  const EVENTS = 80;
  it("do not hold up another one's events: theirs wait in Postgres", async () => {
    const silent = createServer(() => {});
    const refusing = createServer((request, response) => request.resume().on("end", () => response.writeHead(500).end()));
    const urls = await Promise.all(
      [silent, refusing].map(async (server) => {
        await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
        return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      }),
    );
    const bad: string[] = [];
    for (const url of [...Array(6).fill(urls[0]), ...Array(6).fill(urls[1])]) bad.push((await register({ url })).webhookId);
    const { webhookId } = await register();
    const events = Array.from({ length: EVENTS }, (_, n) => ({ id: `outbox/load-${n}`, type: "saldo.order.completed", body: "{}" }));
    await insertDeliveries(api.db, deliveriesOf(events, await listActiveWebhooks(api.db)));
    await until("the good receiver has them all", async () => {
      await dispatch();
      return received.length >= EVENTS;
    });
    const rows = await api.db.execute<{ webhook_id: string; started: number }>(sql`
      select webhook_id, count(dispatched_at)::integer as started from webhook_deliveries where event_id like 'outbox/load-%' group by webhook_id`);
    const started = new Map([...rows].map((row) => [row.webhook_id, row.started]));
    expect(started.get(webhookId)).toBe(EVENTS);
    // 5 on their way at most; a receiver that answers 500 at once makes room for some more until it counts as failing.
    for (const id of bad) expect(started.get(id)).toBeLessThanOrEqual(25);
    for (const server of [silent, refusing]) {
      server.closeAllConnections();
      server.close();
    }
  });
});
