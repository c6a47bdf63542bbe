import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { mintToken } from "../../src/cli/kit/operator-token.ts";
import { placeCheckOrder } from "../../src/cli/start/check-order.ts";
import { ROLE_ENTRIES } from "../../src/cli/start/role-entries.ts";
import { createStartSteps } from "../../src/cli/start/start-steps.ts";
import { startSystem, type System } from "../../src/cli/start/system.ts";
import { inheritedEnvironment, loadConfig } from "../../src/config.ts";
import type { ServerEvent } from "../../src/stack/processes/keep-server.ts";
import type { RoleEvent } from "../../src/stack/processes/supervisor.ts";
import { until } from "../support/until.ts";

let folder: string;
let system: System;
const serverEvents: ServerEvent[] = [];
const roleEvents: RoleEvent[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saldo-server-death-"));
  const ports = ["HTTP", "PURCHASES", "POSTGRES", "TEMPORAL", "TEMPORAL_UI", "KAFKA", "REDIS", "PSP"].map((name) => [`${name}_PORT`, "0"]);
  const config = loadConfig({ DATA_DIR: join(folder, "data"), CACHE_DIR: inject("cacheDir"), ...Object.fromEntries(ports) }, folder);
  system = await startSystem({
    config,
    environment: inheritedEnvironment(),
    ephemeral: false,
    entries: ROLE_ENTRIES,
    steps: createStartSteps(config),
    onServerEvent: (event) => serverEvents.push(event),
    onRoleEvent: (event) => roleEvents.push(event),
  });
});

afterAll(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

const token = async () =>
  (await mintToken(loadConfig({}, folder), { subject: "test", roles: ["admin", "service"], ttlMs: 900_000 }, system.running.keysDir)).token;

const orderGoesThrough = () =>
  token()
    .then((bearer) => placeCheckOrder(system.running.apiUrl, "RUB", bearer))
    .then(
      () => true,
      () => false,
    );

it("the first order of a system that has just started goes through", async () => {
  const { orderId } = await placeCheckOrder(system.running.apiUrl, "RUB", await token());
  expect(orderId).not.toBe("");
});

it("a reservation that is extended stays held", async () => {
  const headers = { authorization: `Bearer ${await token()}`, "content-type": "application/json" };
  const ask = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
    const init = { method, headers: { ...headers, "idempotency-key": randomUUID() } };
    const answer = await fetch(
      `${system.running.apiUrl}/api/v1${path}`,
      body === undefined ? init : { ...init, body: JSON.stringify(body) },
    );
    return (await answer.json()) as Record<string, unknown>;
  };
  await ask("POST", "/services", { id: "held-service", name: "Held" });
  await ask("POST", "/balances/held-user/deposits", { amount: "10", currency: "RUB" });
  const wish = { userId: "held-user", serviceId: "held-service", orderId: "held-order", amount: "10", currency: "RUB", ttlSeconds: 3_600 };
  const { reservationId } = await ask("POST", "/reservations", wish);
  expect(await ask("POST", `/reservations/${String(reservationId)}/extend`, { ttlSeconds: 7_200 })).toMatchObject({ status: "held" });
  await sleep(1_000);
  expect(await ask("GET", `/reservations/${String(reservationId)}`)).toMatchObject({ status: "held", held: "10.00" });
});

it("a purchase by card on the second port, 8084 by default, is booked and is the same one on the first", async () => {
  const headers = { authorization: `Bearer ${await token()}`, "content-type": "application/json", prefer: "wait=20" };
  const card = { card_holder_name: "JANE DOE", card_number: "4242424242424242", card_expiry: "12/35", card_cvc: "123" };
  const purchase = { user_id: "jane", username: "jane", amount: "100.50", currency: "RUB", payment_method: "credit_card", ...card };
  const answer = await fetch(`${system.running.purchasesUrl}/api/v1/purchases`, {
    method: "POST",
    headers,
    body: JSON.stringify({ ...purchase, transaction_date: "2026-01-15T10:00:00Z" }),
  });
  const bought = (await answer.json()) as Record<string, unknown>;
  expect({ status: answer.status, bought }).toMatchObject({ status: 201, bought: { status: "completed", amount: "100.50" } });
  const path = `/api/v1/purchases/${String(bought["purchase_id"])}`;
  const [there, here] = await Promise.all(
    [system.running.purchasesUrl, system.running.apiUrl].map((url) => fetch(url + path, { headers })),
  );
  expect(system.running.purchasesUrl).not.toBe(system.running.apiUrl);
  expect(await there?.json()).toEqual(await here?.json());
});

it.each(["redis", "postgres", "temporal", "kafka"] as const)(
  "a killed %s comes back by itself, and orders go through again without a start by hand",
  async (server) => {
    const { pid } = JSON.parse(readFileSync(join(system.stack.dataDir, "pids", `${server}.json`), "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    await until(`${server} runs again`, () => serverEvents.some((event) => event.server === server && event.state === "back"));
    expect(serverEvents.find((event) => event.server === server)?.detail).toMatch(
      /ended \(signal SIGKILL; log: .*\); it is started again in/,
    );
    await until("an order goes through", orderGoesThrough);
  },
  180_000,
);

it("what the roles logged meanwhile is one JSON object a line, also what the SDK's core says", () => {
  for (const role of ["api", "worker", "bridge", "relay"]) {
    const lines = readFileSync(join(system.running.logDir, `${role}.log`), "utf8").split("\n");
    expect(lines.filter((line) => line !== "" && !line.startsWith("{"))).toEqual([]);
  }
});

it("no role died of it", () => {
  expect(roleEvents.filter((event) => event.state !== "ready")).toEqual([]);
});
