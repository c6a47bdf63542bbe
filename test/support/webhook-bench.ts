import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Client } from "@temporalio/client";
import { inject } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createTemporal } from "../../src/adapters/temporal/temporal.ts";
import { createWebhookDispatcher, deliveriesOf } from "../../src/outbox/webhooks.ts";
import { createWebhookStarter } from "../../src/starters/webhooks.ts";
import { insertDeliveries, listWaitingDeliveries, markDispatched } from "../../src/store/webhooks/webhook-deliveries.ts";
import { listActiveWebhooks } from "../../src/store/webhooks/webhooks.ts";
import { createWebhookPort } from "../../workers/parts/webhook-port.ts";
import { createTestApi, type TestApi } from "./http-api.ts";
import { startTestWorkflows } from "./http-system.ts";
import { relayOutbox } from "./relay-outbox.ts";
import { createTestDatabase } from "./test-database.ts";
import { LOCAL_WEBHOOKS } from "./webhook-client.ts";

/** A message as the receiver got it. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The whole way of a webhook: the API, the dispatcher, the workflows that deliver, and a receiver of its own. */
export interface WebhookBench {
  readonly api: TestApi;
  /** A client of the Temporal that the deliveries run on. */
  readonly client: Client;
  /** The receiver's address. */
  readonly url: string;
  /** What the receiver got, in order. */
  readonly received: Received[];
  /** Hands what waits to the workflows, once. */
  dispatch(): Promise<number>;
  /** Relays the real outbox until it is empty, to a Kafka that takes everything. */
  relay(): Promise<void>;
  /** The log of the webhook's deliveries, as the API shows it. */
  deliveries(webhookId: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

const ENCRYPTION_SECRET = Buffer.alloc(32, 7).toString("base64");

/** Opens the bench. The receiver answers each request with what `nextStatus` says, with its `Retry-After` if it has one, or with 200. */
export async function openWebhookBench(
  nextStatus: () => number | { readonly status: number; readonly retryAfter: string } | undefined,
): Promise<WebhookBench> {
  const received: Received[] = [];
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      const next = nextStatus() ?? 200;
      if (typeof next === "number") response.writeHead(next).end();
      else response.writeHead(next.status, { "retry-after": next.retryAfter }).end();
    });
  });
  await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const database = await createTestDatabase();
  const encryptionKey = Buffer.from(ENCRYPTION_SECRET, "base64");
  const api = createTestApi({ databaseUrl: database.appUrl, settings: { webhooks: { ...LOCAL_WEBHOOKS, encryptionKey } } });
  const port = createWebhookPort({
    WEBHOOK_ALLOW_HTTP: true,
    WEBHOOK_ALLOW_PRIVATE: true,
    WEBHOOK_TIMEOUT_MS: 2_000,
    WEBHOOK_ENCRYPTION_SECRET: ENCRYPTION_SECRET,
  });
  const workflows = await startTestWorkflows(database.appUrl, ["webhooks"], SILENT_LOG, undefined, port);
  const temporal = await createTemporal({
    address: inject("temporalAddress"),
    namespace: workflows.namespace,
    deadlineMs: 10_000,
    logger: SILENT_LOG,
  });
  return {
    api,
    client: temporal.client,
    url,
    received,
    dispatch: () =>
      createWebhookDispatcher({
        listWaiting: (limit) => listWaitingDeliveries(api.db, limit),
        markDispatched: (ids) => markDispatched(api.db, ids),
        start: createWebhookStarter({ client: temporal.client, deadlineMs: 10_000 }),
        pollMs: 10,
        maxPauseMs: 10,
        log: SILENT_LOG,
      }).step(),
    relay: () =>
      relayOutbox(api.db, {
        send: async () => {},
        onPublished: async (events) => void (await insertDeliveries(api.db, deliveriesOf(events, await listActiveWebhooks(api.db)))),
      }),
    async deliveries(webhookId) {
      const answer = await api.call("GET", `/api/v1/webhooks/${webhookId}/deliveries`);
      return answer.body["deliveries"] as Record<string, unknown>[];
    },
    async close() {
      receiver.closeAllConnections();
      receiver.close();
      await temporal.close();
      await workflows.close();
      await api.close();
      await database.drop();
    },
  };
}

/** What the receiver must find as the signature of the message under the secret. */
export function signatureOf({ headers, body }: Received, secret: string): string {
  const content = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  return `v1,${createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"))
    .update(content)
    .digest("base64")}`;
}
