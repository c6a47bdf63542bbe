import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const DEADLINE_MS = 30_000;
const POLL_MS = 200;

/**
 * Makes a deposit and a service and places an order paid from the wallet, all by the API, and waits until the order is COMPLETED.
 * Throws: Error with the request that got an unexpected answer.
 */
export async function placeCheckOrder(apiUrl: string, currency: string, token: string): Promise<{ orderId: string; elapsedMs: number }> {
  const user = `check-${randomUUID()}`;
  const service = `check-service-${randomUUID().slice(0, 8)}`;
  const money = (amount: string) => ({ amount, currency });
  const post = (url: string, body: unknown) => postJson(url, body, token);
  await post(`${apiUrl}/api/v1/balances/${user}/deposits`, { ...money("100"), comment: "npm start -- --check" });
  await post(`${apiUrl}/api/v1/services`, { id: service, name: service });
  const startedAtMs = performance.now();
  const order = await post(`${apiUrl}/api/v1/orders`, {
    userId: user,
    items: [{ serviceId: service, amount: "40", quantity: 1 }],
    currency,
    paymentMethod: "wallet",
  });
  const orderId = textOf(order, "orderId") ?? textOf(order, "id");
  if (orderId === undefined) throw new Error(`POST /api/v1/orders answered without an id: ${JSON.stringify(order)}`);
  await untilCompleted(`${apiUrl}/api/v1/orders/${orderId}`, order, token);
  return { orderId, elapsedMs: Math.round(performance.now() - startedAtMs) };
}

async function untilCompleted(url: string, first: unknown, token: string): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  for (let order = first; ; order = await request(url, { headers: bearer(token) })) {
    const state = textOf(order, "sagaState");
    if (state === "COMPLETED") return;
    if (state === "FAILED" || performance.now() > deadlineMs) throw new Error(`The order did not complete: ${JSON.stringify(order)}`);
    await sleep(POLL_MS);
  }
}

function bearer(token: string) {
  return { authorization: `Bearer ${token}` };
}

function postJson(url: string, body: unknown, token: string): Promise<unknown> {
  return request(url, {
    method: "POST",
    headers: { ...bearer(token), "content-type": "application/json", "idempotency-key": randomUUID(), prefer: "wait=10" },
    body: JSON.stringify(body),
  });
}

async function request(url: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(DEADLINE_MS) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${init.method ?? "GET"} ${new URL(url).pathname} answered ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

function textOf(value: unknown, name: string): string | undefined {
  const field = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  return typeof field === "string" ? field : undefined;
}
