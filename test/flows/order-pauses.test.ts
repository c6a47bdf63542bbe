import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

const { deposit, balance, place, untilIs } = createOrderClient(() => shop);

describe("a pause", () => {
  test.each([false, true])("lets captures wait visibly and go on afterwards (card: %s)", async (byCard) => {
    const user = byCard ? "paula-card" : "paula";
    await deposit(user, "100");
    const begun = await api.call("POST", "/api/v1/pauses", { body: { scope: "user", id: user, reason: "a look at the books" } });
    expect(begun.status).toBe(201);
    const orderId = (await place(user, { byCard, prefer: "respond-async" })).body["orderId"] as string;
    expect(await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined)).toMatchObject({
      sagaState: "PAYMENT_PENDING",
      waitingFor: "captures and charges are paused",
    });
    expect((await place("carl", { byCard: true })).body["sagaState"]).toBe("COMPLETED");
    expect((await api.call("GET", "/api/v1/pauses")).body["pauses"]).toMatchObject([{ scope: "user", id: user }]);
    expect((await api.call("DELETE", `/api/v1/pauses?scope=user&id=${user}`)).status).toBe(204);
    expect(await untilIs(orderId, ({ sagaState }) => sagaState === "COMPLETED")).not.toHaveProperty("waitingFor");
  });

  test("does not keep an order from being cancelled", async () => {
    await deposit("pete", "100");
    await api.call("POST", "/api/v1/pauses", { body: { scope: "service", id: "record", reason: "x" } });
    const orderId = (await place("pete", { prefer: "respond-async" })).body["orderId"] as string;
    await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined);
    expect((await api.call("DELETE", `/api/v1/orders/${orderId}`)).body["status"]).toBe("CANCELLED");
    expect(await balance("pete")).toMatchObject({ available: "100.00", held: "0.00" });
    await api.call("DELETE", "/api/v1/pauses?scope=service&id=record");
  });
});
