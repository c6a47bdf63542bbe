import { expect, test } from "vitest";
import { ageOfChange, orderAge, orderFromText, orderToText } from "./order-text.ts";
import type { OrderRecord } from "./orders.ts";

const order: OrderRecord = {
  orderId: "o-1",
  userId: "ann",
  status: "CONFIRMED",
  sagaState: "COMPLETED",
  currency: "RUB",
  totalMinor: 9_007_199_254_740_993n,
  paymentMethod: "card",
  comment: "2026-11-21T00:00:00Z",
  requestHash: "hash",
  workflowId: "order/o-1",
  version: 4n,
  createdAt: new Date("2026-11-21T09:00:00.123Z"),
  updatedAt: new Date("2026-11-21T09:00:01Z"),
  payment: {
    paymentId: "payment/o-1",
    orderId: "o-1",
    method: "card",
    status: "captured",
    currency: "RUB",
    authorisedMinor: 5n,
    capturedMinor: 5n,
    refundedMinor: 0n,
    last4: "4242",
    createdAt: new Date("2026-11-21T09:00:00Z"),
    updatedAt: new Date("2026-11-21T09:00:02Z"),
  },
  items: [{ lineNo: 1, serviceId: "gig", quantity: 1, amountMinor: 5n }],
};

test("an order comes back from its text as it was, with its numbers and times", () => {
  expect(orderFromText(orderToText(order))).toEqual(order);
});

test("a text of another form is not read", () => {
  expect(orderFromText(`0${orderToText(order)}`)).toBeUndefined();
  expect(orderFromText("2 {")).toBeUndefined();
  expect(orderFromText("")).toBeUndefined();
});

test("a change is newer than all that was read before it, also within one millisecond", () => {
  expect(orderAge(order)).toBe(BigInt(Date.parse("2026-11-21T09:00:02Z")) * 2n);
  expect(ageOfChange(new Date("2026-11-21T09:00:02Z"))).toBeGreaterThan(orderAge(order));
  expect(orderAge({ updatedAt: new Date("2026-11-21T09:00:02.001Z") })).toBeGreaterThan(ageOfChange(new Date("2026-11-21T09:00:02Z")));
});
