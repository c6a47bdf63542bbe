import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import type { SupervisedRole } from "../../src/stack/processes/supervisor.ts";
import { findPaymentReference, keepPaymentReference } from "../../src/store/orders/provider-payments.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { createTestApi } from "../support/http-api.ts";
import { startTestWorkflows } from "../support/http-system.ts";
import { connectStripe, openLocalstripe, openStripeLine, STRIPE_KEY, type StripeDouble, type StripeLine } from "../support/stripe-bench.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { roleSettings, startTestRole } from "../support/test-roles.ts";
import { until } from "../support/until.ts";

const CHILD = fileURLToPath(new URL("../support/stripe-payment-child.ts", import.meta.url));
const stripe = await openLocalstripe();
let line: StripeLine;
let database: TestDatabase;
let store: Database;

describe.skipIf(stripe === undefined)("a process that is killed in the middle of a call to Stripe", () => {
  beforeAll(async () => {
    line = await openStripeLine((stripe as StripeDouble).url);
    database = await createTestDatabase();
    store = createDatabase({ url: database.appUrl, name: "test-references", laneCount: 1, deadlineMs: 10_000 });
  });
  afterAll(async () => {
    await store.close();
    await database.drop();
    await line.close();
    await stripe?.stop();
  });

  /** Runs the payment's steps in a process of its own; with `killAt` it is killed at that call. */
  async function run(orderId: string, steps: string, killAt?: { readonly name: string; readonly place: "before" | "after" }) {
    const child = spawn(process.execPath, ["--import", "tsx", CHILD, database.appUrl, line.url, STRIPE_KEY, orderId, steps], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let words = "";
    child.stdout.on("data", (chunk: Buffer) => (words += chunk.toString()));
    const ended = new Promise<string | number | null>((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
    line.onCall = async (call, place) => {
      if (killAt === undefined || call.name !== killAt.name || place !== killAt.place) return;
      child.kill("SIGKILL");
      await ended;
      if (place === "before") throw new Error("the request is lost with its sender");
    };
    const end = await ended;
    line.onCall = undefined;
    return { end, told: words.trim().split("\n") };
  }

  async function bookOf(orderId: string) {
    const book = stripe as StripeDouble;
    const { data: intents } = (await book.get("/v1/payment_intents?limit=1000")) as {
      data: { id: string; status: string; metadata: Record<string, string> }[];
    };
    const reference = (await findPaymentReference(store.db, orderId)) ?? "";
    const { data: refunds } = (await book.get(`/v1/refunds?limit=100&payment_intent=${reference}`)) as { data: { amount: number }[] };
    return {
      // An intent that was made and not kept before the death asks for no money: it is never confirmed.
      moved: intents
        .filter(({ status, metadata }) => metadata["saldo_order"] === orderId && status !== "requires_confirmation")
        .map(({ status }) => status),
      refunds: refunds.map(({ amount }) => amount),
    };
  }

  const PAID = ["authorise approved", "capture approved", "r1 approved"];
  const RELEASED = ["authorise approved", "cancel approved"];
  const calls = [
    ["POST /v1/payment_intents", PAID],
    ["POST /v1/payment_intents/{id}/confirm", PAID],
    ["POST /v1/payment_intents/{id}/capture", PAID],
    ["POST /v1/refunds", PAID],
    ["POST /v1/payment_intents/{id}/cancel", RELEASED],
  ] as const;

  test.each(calls.flatMap(([name, told]) => (["before", "after"] as const).map((place) => ({ name, place, told }))))(
    "at $name, $place Stripe has it, leaves a payment that the next process takes to the same end, once",
    async ({ name, place, told }) => {
      const orderId = `killed-${randomUUID()}`;
      const steps = told.map((words) => words.split(" ")[0]).join(",");
      expect((await run(orderId, steps, { name, place })).end).toBe("SIGKILL");
      // The steps from the one that was cut off, as Temporal gives them to the next worker.
      const rest = told.slice(
        told.findIndex((words) =>
          name.endsWith("refunds")
            ? words.startsWith("r")
            : name.endsWith("capture")
              ? words.startsWith("capture")
              : name.endsWith("cancel")
                ? words.startsWith("cancel")
                : true,
        ),
      );
      const next = await run(orderId, rest.map((words) => words.split(" ")[0]).join(","));
      expect(next).toEqual({ end: 0, told: rest });
      expect(await bookOf(orderId)).toEqual(
        told === PAID ? { moved: ["succeeded"], refunds: [2_500] } : { moved: ["canceled"], refunds: [] },
      );
    },
  );

  test("as a worker that captures has its order completed by the next worker, with one capture on either side", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "saldo-stripe-kills-"));
    const references = {
      find: (orderId: string) => findPaymentReference(store.db, orderId),
      keep: (orderId: string, reference: string | null) => keepPaymentReference(store.db, orderId, reference),
    };
    const psp = connectStripe(line.url, { references, rawCards: "refuse" });
    const workflows = await startTestWorkflows(database.appUrl, ["orders"], SILENT_LOG, psp);
    const servers = {
      databaseUrl: database.appUrl,
      temporalAddress: inject("temporalAddress"),
      temporalNamespace: workflows.namespace,
      kafkaBrokers: [],
    };
    const settings = { PSP_KIND: "stripe", STRIPE_SECRET_KEY: STRIPE_KEY, STRIPE_API_URL: line.url, LOG_LEVEL: "warn" };
    const api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, psp, settings: { defaultCurrency: "EUR" } });
    const worker: SupervisedRole = startTestRole({
      role: "worker",
      name: "stripe-worker",
      dataDir,
      environment: roleSettings(servers, { dataDir, settings }),
    });
    let killed = 0;
    line.onCall = (call, place) => {
      const pid = worker.pid();
      if (killed > 0 || place !== "after" || !call.name.endsWith("/capture") || pid === undefined) return;
      killed += 1;
      process.kill(pid, "SIGKILL");
    };
    await api.call("POST", "/api/v1/services", { body: { services: [{ id: "gig", name: "Gig" }] } });
    const { body } = await api.call("POST", "/api/v1/orders", {
      headers: { prefer: "respond-async" },
      body: { userId: "anna", items: [{ serviceId: "gig", amount: "100" }], payment: { method: "card", token: "pm_card_visa" } },
    });
    const orderId = body["orderId"] as string;
    const read = async () => (await api.call("GET", `/api/v1/orders/${orderId}`)).body;
    await until("the order is completed", async () => (await read())["sagaState"] === "COMPLETED", 110_000);
    expect(killed).toBe(1);
    expect(await bookOf(orderId)).toEqual({ moved: ["succeeded"], refunds: [] });
    expect((await read())["payment"]).toMatchObject({ status: "captured", captured: "100.00" });
    line.onCall = undefined;
    await worker.stop();
    await api.close();
    await workflows.close();
    await rm(dataDir, { recursive: true, force: true });
  });
});
