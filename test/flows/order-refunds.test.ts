import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FakePsp } from "../support/fake-psp.ts";
import type { TestApi } from "../support/http-api.ts";
import { createOrderClient, expectRightBooks, openOrderShop, type OrderShop } from "../support/order-shop.ts";
import { until } from "../support/until.ts";

let shop: OrderShop;
let api: TestApi;
let psp: FakePsp;

beforeAll(async () => {
  shop = await openOrderShop();
  ({ api, psp } = shop);
});

afterAll(async () => {
  await expectRightBooks(shop);
  await shop.close();
});

const { deposit, balance, place, read, untilIs, revenueOf } = createOrderClient(() => shop);
let keys = 0;

describe("a refund", () => {
  const refund = (orderId: string, body: Record<string, string>, key = `refund-${(keys += 1)}`) =>
    api.call("POST", `/api/v1/orders/${orderId}/refunds`, { body: { reason: "returned", ...body }, key });

  test("gives back a part, another part and the rest, never more than was paid", async () => {
    await deposit("rita", "100");
    const orderId = (await place("rita")).body["orderId"] as string;
    const before = [await revenueOf("gig"), await revenueOf("record")] as const;
    const first = await refund(orderId, { amount: "50" }, "rita-1");
    expect([first.status, first.body["status"], first.body["amount"]]).toEqual([201, "done", "50.00"]);
    expect((await refund(orderId, { amount: "50" }, "rita-1")).body).toEqual(first.body);
    expect((await refund(orderId, { amount: "50.01" })).body["code"]).toBe("REFUND_EXCEEDS_PAYMENT");
    expect((await refund(orderId, {})).body).toMatchObject({
      amount: "50.00",
      items: [
        { serviceId: "gig", amount: "20.00" },
        { serviceId: "record", amount: "30.00" },
      ],
    });
    expect((await refund(orderId, {})).body["code"]).toBe("REFUND_EXCEEDS_PAYMENT");
    expect(await balance("rita")).toMatchObject({ available: "100.00", held: "0.00" });
    expect([before[0] - (await revenueOf("gig")), before[1] - (await revenueOf("record"))]).toEqual([7_000n, 3_000n]);
    expect((await read(orderId))["payment"]).toMatchObject({ status: "refunded", refunded: "100.00" });
    expect((await api.call("GET", `/api/v1/orders/${orderId}/refunds`)).body["refunds"]).toHaveLength(2);
  });

  test("under a key that was used with another reason, amount or order is another refund and is refused", async () => {
    await deposit("rosa", "200");
    const [orderId, otherId] = [(await place("rosa")).body["orderId"] as string, (await place("rosa")).body["orderId"] as string];
    const first = await refund(orderId, { amount: "10" }, "rosa-1");
    for (const [id, body] of [
      [orderId, { amount: "10", reason: "broken" }],
      [orderId, { amount: "11" }],
      [orderId, {}],
      [otherId, { amount: "10" }],
    ] as const) {
      const other = await refund(id, body, "rosa-1");
      expect([other.status, other.body["code"]], JSON.stringify(body)).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    }
    expect((await refund(orderId, { amount: "10.00" }, "rosa-1")).body).toEqual(first.body);
    expect(await balance("rosa")).toMatchObject({ available: "10.00" });
  });

  test("asked for by many at once passes as often as the payment covers", async () => {
    await deposit("rob", "100");
    const orderId = (await place("rob")).body["orderId"] as string;
    const answers = await Promise.all(Array.from({ length: 8 }, () => refund(orderId, { amount: "30" })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(answers.filter(({ body }) => body["code"] === "REFUND_EXCEEDS_PAYMENT")).toHaveLength(5);
    expect(await balance("rob")).toMatchObject({ available: "90.00" });
  });

  test("of a card goes to the card; what the provider refuses is there for another refund", async () => {
    const orderId = (await place("carl", { byCard: true })).body["orderId"] as string;
    psp.fail(orderId, "refund", ["declined"]);
    expect((await refund(orderId, { amount: "40" })).body).toMatchObject({ status: "refused", failureCode: "PAYMENT_DECLINED" });
    expect((await refund(orderId, {})).body).toMatchObject({ status: "done", amount: "100.00" });
    expect(psp.netOf(orderId)).toBe(0n);
  });

  describe("that the provider does not answer", () => {
    const act = (orderId: string, body: Record<string, string>) => api.call("POST", `/api/v1/orders/${orderId}/operator-acts`, { body });
    const statusOf = async (orderId: string) =>
      ((await api.call("GET", `/api/v1/orders/${orderId}/refunds`)).body["refunds"] as { status: string }[])[0]?.status;
    const stuckRefund = async (): Promise<{ orderId: string; step: string }> => {
      const orderId = (await place("carl", { byCard: true })).body["orderId"] as string;
      psp.fail(orderId, "refund", ["away"], true);
      const asked = await api.call("POST", `/api/v1/orders/${orderId}/refunds`, {
        headers: { prefer: "respond-async" },
        body: { reason: "returned", amount: "40" },
        key: `stuck-refund-${(keys += 1)}`,
      });
      expect(asked.status).toBe(202);
      const order = await untilIs(orderId, ({ stuck }) => stuck !== undefined);
      expect(order).toMatchObject({ sagaState: "COMPLETED", stuck: { step: `refund ${asked.body["refundId"] as string}` } });
      return { orderId, step: `refund ${asked.body["refundId"] as string}` };
    };

    test("is listed as stuck; a retry ends it at once", async () => {
      const { orderId, step } = await stuckRefund();
      // The workflow says that it is stuck a moment before the row does.
      const listed = async () =>
        ((await api.call("GET", "/api/v1/orders?stuck=true")).body["orders"] as { orderId: string }[]).map((order) => order.orderId);
      await until("the order is listed as stuck", async () => (await listed()).includes(orderId));
      expect(await listed()).toContain(orderId);
      expect((await act(orderId, { act: "skip", reason: "x" })).body).toMatchObject({ status: 409, code: "ACT_NOT_POSSIBLE" });
      // After so many tries it rests for seconds between two of them: the retry has to come just after one, before the next comes by itself.
      const triesBefore = Math.max(6, psp.refundsAsked(orderId));
      await until("another try has failed", () => psp.refundsAsked(orderId) > triesBefore, 60_000);
      psp.mend(orderId);
      expect((await act(orderId, { act: "retry", reason: "it is back", step })).status).toBe(202);
      await until("the refund is done", async () => (await statusOf(orderId)) === "done");
      expect((await read(orderId))["stuck"]).toBeUndefined();
      expect(psp.netOf(orderId)).toBe(6_000n);
    });

    test("is settled by hand: it is booked, and the provider is not asked again", async () => {
      const { orderId } = await stuckRefund();
      psp.mend(orderId);
      await psp.refund({ key: `${orderId}:by-hand`, captureKey: `${orderId}:capture`, orderId, amountMinor: 4_000n, currency: "RUB" });
      psp.fail(orderId, "refund", ["away"], true);
      expect((await act(orderId, { act: "settle", reason: "refunded in the provider's own console" })).status).toBe(202);
      await until("the refund is done", async () => (await statusOf(orderId)) === "done");
      expect((await read(orderId))["stuck"]).toBeUndefined();
      psp.mend(orderId);
      expect(psp.netOf(orderId)).toBe(6_000n);
    });
  });

  test("needs a completed order", async () => {
    const failed = (await place("poor")).body["orderId"] as string;
    expect((await refund(failed, {})).body["code"]).toBe("ORDER_STATE_CONFLICT");
    expect((await refund("none", {})).body["code"]).toBe("ORDER_NOT_FOUND");
  });
});
