import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { cardStepsOf } from "../../api/orders/card-steps.ts";
import { createDatabase, type Database } from "../postgres/database.ts";
import { createOrder, getOrder } from "./orders.ts";
import { recordPaymentStep, type PaymentStep } from "./payments.ts";

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "payments-test", laneCount: 2, deadlineMs: 10_000 });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const AUTHORISED = { step: "authorised", amountMinor: 100n, reference: "a" } as const;
const CAPTURED = { step: "captured", amountMinor: 100n, reference: "c" } as const;
const REFUNDED = { step: "refunded", reference: "r" } as const;

async function paid(...steps: PaymentStep[]) {
  const orderId = randomUUID();
  await createOrder(database.db, {
    orderId,
    workflowId: `order/${orderId}`,
    userId: "u",
    currency: "RUB",
    totalMinor: "100",
    paymentMethod: "card",
    card: { cardToken: "t", last4: "4242", brand: "visa" },
    lines: [{ lineNo: 1, serviceId: "s", quantity: 1, amountMinor: "100" }],
    comment: "",
    requestHash: "h",
    caller: "c",
    correlationId: "c",
  });
  for (const step of steps) await recordPaymentStep(database.db, orderId, step);
  const order = await getOrder(database.db, orderId);
  if (order?.payment === undefined) throw new Error("there is no such payment");
  return { order, payment: order.payment };
}

describe("the payment by card of an order", () => {
  it("is not taken back by a step whose word comes late", async () => {
    const late = await paid(AUTHORISED, REFUNDED, CAPTURED, AUTHORISED, { step: "declined" }, { step: "cancelled" });
    expect(late.payment).toMatchObject({ status: "refunded", providerReference: "r", capturedMinor: 100n, refundedMinor: 100n });
    expect((await paid(AUTHORISED, CAPTURED, AUTHORISED)).payment).toMatchObject({ status: "captured", providerReference: "c" });
    expect((await paid(AUTHORISED, { step: "cancelled" }, AUTHORISED, { step: "declined" })).payment.status).toBe("cancelled");
  });

  it("keeps the time at which each of its steps was known first", async () => {
    const { payment, order } = await paid(AUTHORISED, CAPTURED, REFUNDED, AUTHORISED);
    const { authorisedAt, capturedAt, refundedAt, updatedAt } = payment;
    const times = [authorisedAt, capturedAt, refundedAt].map((at) => at?.getTime() ?? Number.NaN);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
    expect(authorisedAt?.getTime()).toBeLessThan(updatedAt.getTime());
    expect(cardStepsOf(order, []).map(({ status, at }) => [status, at])).toEqual([
      ["authorised", authorisedAt],
      ["captured", capturedAt],
      ["refunded", refundedAt],
    ]);
  });

  it("tells of a release only where something was authorised", async () => {
    expect(cardStepsOf((await paid({ step: "cancelled" })).order, [])).toEqual([]);
    const { order, payment } = await paid(AUTHORISED, { step: "cancelled" });
    expect(cardStepsOf(order, []).map(({ status, at }) => [status, at])).toEqual([
      ["authorised", payment.authorisedAt],
      ["cancelled", payment.endedAt],
    ]);
  });
});
