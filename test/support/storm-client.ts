import { setTimeout as sleep } from "node:timers/promises";
import { formatAmount } from "../../src/base/money.ts";
import { ApiUnreachable, describeAnswer, type ApiAnswer, type ApiClient } from "../../src/cli/kit/api-client.ts";
import type { StormOrder } from "./storm-plan.ts";

export type PatientClient = ReturnType<typeof createPatientClient>;

/** A client as the API wants it: a request without an answer, or with the answer "later", is sent again under the same key. */
export function createPatientClient(api: ApiClient, problems: string[]) {
  let repeats = 0;
  const repeat = async (send: () => Promise<ApiAnswer>): Promise<ApiAnswer> => {
    for (;;) {
      try {
        const answer = await send();
        const { code } = answer.body as { code?: string };
        if (answer.status !== 503 && answer.status !== 429 && code !== "REQUEST_IN_FLIGHT") return answer;
      } catch (error) {
        if (!(error instanceof ApiUnreachable)) throw error;
      }
      repeats += 1;
      await sleep(400);
    }
  };
  return {
    repeats: () => repeats,
    get: (path: string) => repeat(() => api.get(path)),
    async post(path: string, body: unknown, idempotencyKey: string, prefer = "wait=5"): Promise<ApiAnswer> {
      const answer = await repeat(() => api.post(path, body, { idempotencyKey, prefer }));
      if (answer.status >= 500 || answer.status === 400) problems.push(`${path}: ${describeAnswer(answer)}`);
      return answer;
    },
  };
}

/** Places an order, and returns its id; undefined for a purchase, whose answer has none. Throws: Error when it is not taken. */
export async function placeOrder(client: PatientClient, order: StormOrder): Promise<string | undefined> {
  const { key, userId, items, cardNumber, waits } = order;
  if (order.asPurchase) return purchase(client, order);
  const body = {
    userId,
    currency: "RUB",
    items: items.map(({ serviceId, amountMinor }) => ({ serviceId, amount: formatAmount(amountMinor, "RUB") })),
    ...(cardNumber === undefined ? {} : { payment: { method: "card", card: { number: cardNumber, expiry: "12/35", cvc: "123" } } }),
  };
  const answer = await client.post("/api/v1/orders", body, key, waits ? "wait=5" : "respond-async");
  const { orderId } = answer.body as { orderId?: string };
  if (orderId === undefined) throw new Error(`order ${key}: ${describeAnswer(answer)}`);
  return orderId;
}

/** Cancels an order after its time. */
export async function cancelOrder(
  client: PatientClient,
  order: { readonly orderId: string; readonly key: string; readonly cancelAfterMs?: number },
): Promise<void> {
  await sleep(order.cancelAfterMs ?? 0);
  await client.post(`/api/v1/orders/${order.orderId}/cancel`, { reason: "storm" }, `${order.key}-cancel`);
}

async function purchase(client: PatientClient, { key, userId, items, cardNumber, waits }: StormOrder): Promise<undefined> {
  const body = {
    user_id: userId,
    username: "storm",
    amount: formatAmount(items[0]?.amountMinor ?? 100n, "RUB"),
    currency: "RUB",
    payment_method: "credit_card",
    card_holder_name: "STORM",
    card_number: cardNumber,
    card_expiry: "12/35",
    card_cvc: "123",
    transaction_date: "2026-01-15T10:00:00Z",
  };
  const answer = await client.post("/api/v1/purchases", body, key, waits ? "wait=5" : "respond-async");
  if (![201, 202, 422].includes(answer.status)) throw new Error(`purchase ${key}: ${describeAnswer(answer)}`);
}
