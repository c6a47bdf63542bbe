import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import { PSP, revenue } from "../../src/domain/ledger/operations.ts";
import { recordReceipts } from "../../src/store/events/receipts.ts";
import type { TestApi } from "../support/http-api.ts";
import { createOrderClient, expectRightBooks, openOrderShop, type OrderShop } from "../support/order-shop.ts";

let shop: OrderShop;
let api: TestApi;

beforeAll(async () => {
  shop = await openOrderShop();
  ({ api } = shop);
});

afterAll(async () => {
  await expectRightBooks(shop);
  await shop.close();
});

const { deposit, place, untilIs } = createOrderClient(() => shop);

describe("an order's story", () => {
  test("is told in Russian or English, with the money and its reasons, oldest first", async () => {
    await deposit("sven", "100");
    const orderId = (await place("sven")).body["orderId"] as string;
    await api.call("POST", `/api/v1/orders/${orderId}/refunds`, { body: { amount: "10", reason: "a scratch" } });
    const story = async (language: string) => {
      const { body } = await api.call("GET", `/api/v1/orders/${orderId}/timeline`, { headers: { "accept-language": language } });
      return body["events"] as { text: string; at: string }[];
    };
    const english = (await story("en")).map(({ text }) => text);
    expect(english).toEqual(
      expect.arrayContaining([
        "the order was created",
        "100.00 RUB held in the wallet",
        "100.00 RUB paid from the held money for Gig, Record",
        "the order is paid and confirmed",
        "10.00 RUB refunded for Gig",
        "the refund is done: 10.00 RUB, reason: a scratch",
      ]),
    );
    const russian = await story("ru-RU,en;q=0.5");
    expect(russian.map(({ text }) => text)).toContain("100.00 RUB отложено в кошельке");
    expect(russian.map(({ at }) => at)).toEqual(russian.map(({ at }) => at).toSorted());
  });

  test("tells the message that asked for it, and what else happened for the order with its user's money", async () => {
    await deposit("karl", "100");
    await deposit("someone else", "100");
    const orderId = (await place("karl")).body["orderId"] as string;
    const receipt = { identity: `order-wish-${orderId}`, workflowId: orderWorkflowId(orderId) };
    await recordReceipts(api.db, [
      { ...receipt, position: { topic: "orders.requests", partition: 2, offset: "41" }, outcome: "started" },
      { ...receipt, position: { topic: "orders.requests", partition: 2, offset: "42" }, outcome: "duplicate" },
    ]);
    const origin = { caller: "kafka", correlationId: "c-purchase", position: { topic: "purchases", partition: 0, offset: "7" } };
    const bought = (userId: string, comment: string) => ({ currency: "RUB", userId, orderId, comment, origin });
    const buy = (userId: string, comment: string) =>
      api.ledger.post({
        ...bought(userId, comment),
        key: `${orderId}-${userId}`,
        kind: "charge",
        postings: [{ debit: PSP, credit: revenue("gig"), amountMinor: 500n }],
      });
    await buy("karl", "a purchase by card");
    await buy("someone else", "not karl's");
    const { body } = await api.call("GET", `/api/v1/orders/${orderId}/timeline`, { headers: { "accept-language": "en" } });
    const events = body["events"] as { kind: string; text: string; correlationId?: string }[];
    const texts = events.map(({ text }) => text);
    expect(texts).toContain("the order was asked for by the Kafka message orders.requests/2/41");
    expect(texts).toContain("the order was asked for again by the Kafka message orders.requests/2/42");
    expect(events.filter(({ text }) => text.includes("5.00 RUB")).map(({ text, correlationId }) => [text, correlationId])).toEqual([
      [expect.stringMatching(/^5\.00 RUB received from the payment provider.* by the Kafka message purchases\/0\/7$/), "c-purchase"],
    ]);
    // The provider's book knows neither, and both books are compared at the end.
    for (const userId of ["karl", "someone else"])
      await api.ledger.post({
        ...bought(userId, "given back"),
        key: `${orderId}-${userId}-back`,
        kind: "refund",
        postings: [{ debit: revenue("gig"), credit: PSP, amountMinor: 500n }],
      });
  });

  test("is watched as it happens; who comes again with the last id gets only what is new", async () => {
    await deposit("wanda", "100");
    await api.call("POST", "/api/v1/pauses", { body: { scope: "user", id: "wanda", reason: "x" } });
    const orderId = (await place("wanda", { prefer: "respond-async" })).body["orderId"] as string;
    await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined);
    const stream = await api.app.request(`/api/v1/orders/${orderId}/events`);
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    await sleep(500);
    await api.call("DELETE", "/api/v1/pauses?scope=user&id=wanda");
    const text = await stream.text();
    const states = [...text.matchAll(/"sagaState":"(\w+)"/g)].map(([, state]) => state);
    expect(states).toEqual(["STARTED", "PAYMENT_PENDING", "COMPLETED"]);
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id as string);
    const again = await api.app.request(`/api/v1/orders/${orderId}/events`, { headers: { "last-event-id": ids[1] as string } });
    expect([...(await again.text()).matchAll(/"sagaState":"(\w+)"/g)].map(([, state]) => state)).toEqual(["COMPLETED"]);
    const over = await api.app.request(`/api/v1/orders/${orderId}/events`, { headers: { "last-event-id": ids[2] as string } });
    expect(over.status).toBe(204);
  });
});
