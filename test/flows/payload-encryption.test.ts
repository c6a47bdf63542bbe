import { randomBytes, randomUUID } from "node:crypto";
import type { Client } from "@temporalio/client";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { decodeInside } from "../../src/adapters/payload-codec/decode-inside.ts";
import { openPayloadProtection, openReadingCodec } from "../../src/adapters/payload-codec/payload-protection.ts";
import { uuidOf } from "../../src/base/hash.ts";
import { createTextFinder } from "../../src/cli/leak/finder.ts";
import { scanTemporal } from "../../src/cli/leak/temporal.ts";
import { findPlaintext } from "../../src/cli/payload-keys/find-plaintext.ts";
import { LOCAL_PRINCIPAL } from "../../src/contract/identity.ts";
import { orderWorkflowId, requestKey, reservationWorkflowId } from "../../src/contract/ids.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createFakePsp, type FakePsp } from "../support/fake-psp.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { card } from "../support/order-shop.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const keyLine = (name: string) => `${name}:${randomBytes(32).toString("base64")}`;
const k1 = keyLine("k1");
const k2 = keyLine("k2");
const settings = (keys: string | undefined, encryption: "off" | "accept-plain" | "required" = "required") => ({
  TEMPORAL_PAYLOAD_ENCRYPTION: encryption,
  TEMPORAL_PAYLOAD_KEYS: keys,
  TEMPORAL_PAYLOAD_KEYS_FILE: undefined,
});
const bothKeys = openReadingCodec(settings(`${k1},${k2}`));

const TOO_MUCH = "larger than what is still held";

interface System {
  readonly workflows: TestWorkflows;
  readonly api: TestApi;
}

let database: TestDatabase;
let psp: FakePsp;
let running: System | undefined;

beforeAll(async () => {
  database = await createTestDatabase();
  psp = createFakePsp();
});

afterEach(() => stop());

afterAll(() => database.drop());

/** Starts api and workers with these keys. With a namespace they go on with what stands there, as after a deploy. */
async function start(keys: ReturnType<typeof settings>, namespace?: string): Promise<System> {
  await stop();
  const more = { protection: openPayloadProtection(keys), ...(namespace === undefined ? {} : { namespace }) };
  const workflows = await startTestWorkflows(database.appUrl, ["orders", "payments"], SILENT_LOG, psp, undefined, more);
  const orders = { paymentDeadlineMs: 600_000, compensationFastRetries: 1 };
  const api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, psp, settings: { orders } });
  await api.call("POST", "/api/v1/services", { body: { services: [{ id: "gig", name: "Gig" }] } });
  running = { workflows, api };
  return running;
}

async function stop(): Promise<void> {
  const system = running;
  running = undefined;
  await system?.api.close();
  await system?.workflows.close();
}

const place = (api: TestApi, user: string, more: object = {}, options: { key?: string; prefer?: string } = {}) =>
  api.call("POST", "/api/v1/orders", {
    ...(options.key === undefined ? {} : { key: options.key }),
    headers: { prefer: options.prefer ?? "wait=20" },
    body: { userId: user, items: [{ serviceId: "gig", amount: "73.19" }], comment: "a secret wish", ...more },
  });

/** An order by card whose provider does not answer until `psp.mend`. */
async function placeWaiting({ api, workflows }: System): Promise<{ orderId: string; workflowId: string; user: string }> {
  const key = randomUUID();
  const orderId = uuidOf(requestKey({ caller: LOCAL_PRINCIPAL.subject, route: "orders", idempotencyKey: key }));
  const user = `user-${key}`;
  psp.fail(orderId, "authorise", ["away"], true);
  await place(api, user, { payment: { method: "card", card } }, { key, prefer: "respond-async" });
  const workflowId = orderWorkflowId(orderId);
  await until("the provider was asked in vain", async () => (await failuresIn(workflows.client, workflowId)).activity.length > 0);
  return { orderId, workflowId, user };
}

async function untilConfirmed({ api }: System, orderId: string): Promise<void> {
  const isConfirmed = async () => (await api.call("GET", `/api/v1/orders/${orderId}`)).body["status"] === "CONFIRMED";
  await until("the order is confirmed", isConfirmed);
  expect((await auditBooks(api.db)).findings.flatMap(({ examples }) => examples)).toEqual([]);
}

async function eventsOf(client: Client, workflowId: string) {
  return (await client.workflow.getHandle(workflowId).fetchHistory()).events ?? [];
}

async function failuresIn(client: Client, workflowId: string) {
  const events = await eventsOf(client, workflowId);
  return {
    activity: events.flatMap(({ activityTaskFailedEventAttributes: event }) => (event?.failure == null ? [] : [event.failure])),
    task: events.flatMap(({ workflowTaskFailedEventAttributes: event }) => (event?.failure == null ? [] : [event.failure])),
  };
}

/** Each text and each byte of it, but not its search attributes, which are in the open by their nature. */
function textOf(content: unknown): string {
  if (typeof content === "string") return `${content}\n`;
  if (content instanceof Uint8Array) return `${Buffer.from(content).toString("latin1")}\n`;
  if (typeof content !== "object" || content === null) return "";
  return Object.entries(content)
    .filter(([name]) => name !== "searchAttributes")
    .map(([name, value]) => `${name} ${textOf(value)}`)
    .join("");
}

describe("what Temporal keeps, with encryption on", () => {
  it("shows nothing of orders and a reservation but their ids and search attributes, and a leak scan with the keys finds it", async () => {
    const { workflows, api } = await start(settings(k1));
    const { client } = workflows;
    const user = `user-${randomUUID()}`;
    await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "200" } });
    expect(await place(api, user)).toMatchObject({ status: 201, body: { status: "CONFIRMED" } });
    const reserved = await api.call("POST", "/api/v1/reservations", {
      body: { userId: user, serviceId: "gig", orderId: "o-1", amount: "41.37", ttlSeconds: 600, comment: "a secret wish" },
    });
    const reservationId = String(reserved.body["reservationId"]);
    const confirm = (amount: string) => api.call("POST", `/api/v1/reservations/${reservationId}/confirm`, { body: { amount } });
    // Its failure is written by the workflow itself, and once more by the activity.
    expect(await confirm("400")).toMatchObject({ status: 422, body: { code: "AMOUNT_EXCEEDS_HOLD" } });
    const confirmed = await confirm("41.37");
    expect(confirmed).toMatchObject({ status: 200, body: { confirmed: "41.37" } });
    const poor = await place(api, `poor-${user}`);
    expect(poor.body).toMatchObject({ failure: { code: "INSUFFICIENT_FUNDS" } });

    const ids: string[] = [];
    for await (const { workflowId, raw } of client.workflow.list()) {
      ids.push(workflowId);
      const history = await client.workflow.getHandle(workflowId).fetchHistory();
      const text = textOf([history.events, raw]);
      const secrets = [user, "secret wish", "73.19", '"7319"', "41.37", '"4137"', "does not cover the amount", TOO_MUCH];
      expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
      expect(text).toContain("k1");
      expect(textOf(await decodeInside(bothKeys, [history.events, raw]))).toContain("secret wish");
    }
    expect(ids).toHaveLength(3);
    expect(ids).toContain(reservationWorkflowId(reservationId));
    const refused = await eventsOf(client, reservationWorkflowId(reservationId));
    expect(textOf(await decodeInside(bothKeys, refused))).toContain(TOO_MUCH);
    const where = { address: inject("temporalAddress"), namespace: workflows.namespace };
    expect(await findPlaintext(where)).toEqual({ workflows: 3, byKey: { k1: 3 }, plain: [], plainSchedules: [] });

    const finder = createTextFinder("a secret wish");
    expect((await scanTemporal(finder, { ...where, codec: bothKeys })).findings.length).toBeGreaterThan(0);
    await expect(scanTemporal(finder, where)).rejects.toThrow(/TEMPORAL_PAYLOAD_KEYS/);
  });

  it("hides the words and the stack of a failure, which are read where the key is", async () => {
    const system = await start(settings(k1));
    const { orderId, workflowId } = await placeWaiting(system);
    const [failure] = (await failuresIn(system.workflows.client, workflowId)).activity;
    expect(failure).toMatchObject({ message: "Encoded failure", stackTrace: "" });
    expect(textOf(failure)).not.toContain("the fake provider is away");
    expect(textOf(await decodeInside(bothKeys, failure))).toContain("the fake provider is away");
    psp.mend(orderId);
    await untilConfirmed(system, orderId);
  });
});

describe("while an order waits", () => {
  it("a new key begins to write beside the old one", async () => {
    const { workflows } = await start(settings(k1));
    const { orderId, workflowId } = await placeWaiting(running as System);
    // First every process can read the new key, then it writes.
    await start(settings(`${k1},${k2}`), workflows.namespace);
    const system = await start(settings(`${k2},${k1}`), workflows.namespace);
    psp.mend(orderId);
    await untilConfirmed(system, orderId);
    const kept = await findPlaintext({ address: inject("temporalAddress"), namespace: workflows.namespace });
    expect(kept).toMatchObject({ byKey: { k1: 1, k2: 1 }, plain: [] });
    expect(textOf(await eventsOf(system.workflows.client, workflowId))).not.toContain("secret wish");
  });

  it("a worker without its key fails the task in words and waits; with the key it goes on and nothing is lost", async () => {
    const { workflows } = await start(settings(k1));
    const { orderId, workflowId } = await placeWaiting(running as System);
    const without = await start(settings(k2), workflows.namespace);
    psp.mend(orderId);
    await until("a task failed", async () => {
      const words = [...(await failuresIn(without.workflows.client, workflowId)).task, await pendingFailure(without, workflowId)];
      const known = textOf(await decodeInside(bothKeys, words));
      return known.includes("PAYLOAD_UNREADABLE") && known.includes("the key k1, which this process was not given");
    });
    const system = await start(settings(k1.concat(",", k2)), workflows.namespace);
    await untilConfirmed(system, orderId);
  });

  it("encryption is turned on: plaintext waits where it is refused, and is read on the documented way", async () => {
    const { workflows } = await start(settings(undefined, "off"));
    const { orderId, workflowId, user } = await placeWaiting(running as System);
    expect(textOf(await eventsOf(workflows.client, workflowId))).toContain(user);
    const strict = await start(settings(k1), workflows.namespace);
    psp.mend(orderId);
    await until("it is refused", async () => {
      const words = [...(await failuresIn(strict.workflows.client, workflowId)).task, await pendingFailure(strict, workflowId)];
      return textOf(await decodeInside(bothKeys, words)).includes("a payload is not encrypted");
    });
    const system = await start(settings(k1, "accept-plain"), workflows.namespace);
    await untilConfirmed(system, orderId);
    const where = { address: inject("temporalAddress"), namespace: workflows.namespace };
    expect(await findPlaintext(where)).toMatchObject({ byKey: { k1: 1 }, plain: [{ workflowId, isOpen: false }] });
    // And back again: `off` with the keys still reads what was encrypted.
    const young = await placeWaiting(system);
    const off = await start(settings(k1, "off"), workflows.namespace);
    psp.mend(young.orderId);
    await untilConfirmed(off, young.orderId);
  });
});

/** The last failure of an activity or a workflow task that is tried again at this moment. */
async function pendingFailure({ workflows: { client, namespace } }: System, workflowId: string): Promise<unknown> {
  const described = await client.workflowService.describeWorkflowExecution({ namespace, execution: { workflowId } });
  return described.pendingActivities?.find(({ lastFailure }) => lastFailure != null)?.lastFailure ?? undefined;
}
