import { afterAll, beforeAll, expect, test } from "vitest";
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

type Line = Record<"amount" | "held" | "captured" | "givenBack", string>;
const linesOf = async (orderId: string) => (await api.call("GET", `/api/v1/orders/${orderId}`)).body["items"] as Line[];
const sumOf = (lines: readonly Line[], part: keyof Line) => lines.reduce((sum, line) => sum + Number(line[part]), 0).toFixed(2);

test("an order says of each line what is held, paid and given back, alone and in lists", async () => {
  await deposit("lena", "100");
  await api.call("POST", "/api/v1/pauses", { body: { scope: "user", id: "lena", reason: "a test" } });
  const orderId = (await place("lena", { prefer: "respond-async" })).body["orderId"] as string;
  await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined);
  const held = await linesOf(orderId);
  expect(held.length).toBeGreaterThan(1);
  for (const line of held) expect(line).toMatchObject({ held: line.amount, captured: "0.00", givenBack: "0.00" });
  await api.call("DELETE", "/api/v1/pauses?scope=user&id=lena");
  await untilIs(orderId, ({ sagaState }) => sagaState === "COMPLETED");
  const paid = await linesOf(orderId);
  for (const line of paid) expect(line).toMatchObject({ held: "0.00", captured: line.amount, givenBack: "0.00" });

  await api.call("POST", `/api/v1/orders/${orderId}/refunds`, { body: { amount: "15", reason: "a scratch" } });
  const partly = await linesOf(orderId);
  expect([sumOf(partly, "captured"), sumOf(partly, "givenBack")]).toEqual(["100.00", "15.00"]);
  const { body } = await api.call("GET", "/api/v1/orders?userId=lena");
  expect((body["orders"] as { items: Line[] }[])[0]?.items).toEqual(partly);
  await api.call("POST", `/api/v1/orders/${orderId}/refunds`, { body: { reason: "the rest" } });
  for (const line of await linesOf(orderId)) expect(line.givenBack).toBe(line.amount);
});

test("the lines of an order that was cancelled while its money was held are given back", async () => {
  await deposit("otto", "100");
  await api.call("POST", "/api/v1/pauses", { body: { scope: "user", id: "otto", reason: "a test" } });
  const orderId = (await place("otto", { prefer: "respond-async" })).body["orderId"] as string;
  await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined);
  await api.call("POST", `/api/v1/orders/${orderId}/cancel`);
  for (const line of await linesOf(orderId)) expect(line).toMatchObject({ held: "0.00", captured: "0.00", givenBack: line.amount });
  await api.call("DELETE", "/api/v1/pauses?scope=user&id=otto");
});
