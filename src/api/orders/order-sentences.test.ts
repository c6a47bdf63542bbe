import { describe, expect, test } from "vitest";
import type { OrderFact } from "../../store/orders/order-story.ts";
import type { OrderRecord } from "../../store/orders/orders.ts";
import type { PaymentRecord } from "../../store/orders/payments.ts";
import { cardStepsOf } from "./card-steps.ts";
import { cardSentenceOf, sentenceOf } from "./order-sentences.ts";

const at = (second: number) => new Date(Date.UTC(2026, 10, 21, 9, 0, second));
const message = { at: at(0), kind: "message", topic: "orders.events", sagaState: "COMPLETED", published: true } as const;
const FACTS: readonly (readonly [OrderFact, string, string])[] = [
  [{ at: at(0), kind: "state", sagaState: "STARTED" }, "the order was created", "заказ создан"],
  [
    { at: at(0), kind: "state", sagaState: "COMPENSATING", failureMessage: "too little" },
    "the order is being undone, reason: too little",
    "заказ отменяется, причина: too little",
  ],
  [
    {
      at: at(0),
      kind: "ledger",
      operation: "hold",
      amountMinor: "10050",
      currency: "RUB",
      operationId: "1",
      serviceNames: ["Gig", "Wash"],
    },
    "100.50 RUB held in the wallet for Gig, Wash",
    "100.50 RUB отложено в кошельке за Gig, Wash",
  ],
  [
    {
      at: at(0),
      kind: "ledger",
      operation: "hold",
      refusalCode: "INSUFFICIENT_FUNDS",
      amountMinor: "1",
      currency: "RUB",
      operationId: "1",
      serviceNames: [],
    },
    "0.01 RUB could not be held in the wallet, reason: INSUFFICIENT_FUNDS",
    "0.01 RUB не отложено в кошельке, причина: INSUFFICIENT_FUNDS",
  ],
  [
    { at: at(0), kind: "refund", status: "done", amountMinor: "400", currency: "RUB", reason: "late" },
    "the refund is done: 4.00 RUB, reason: late",
    "возврат выполнен: 4.00 RUB, причина: late",
  ],
  [
    { at: at(0), kind: "act", act: "order.skip", actor: "ann", reason: "agreed" },
    "ann skipped the stuck step, reason: agreed",
    "ann пропускает застрявший шаг, причина: agreed",
  ],
  [message, "published to orders.events: COMPLETED", "опубликовано в orders.events: COMPLETED"],
  [
    { ...message, published: false, stuck: "refund the card" },
    'to be published to orders.events: stuck in "refund the card"',
    'будет опубликовано в orders.events: застрял шаг "refund the card"',
  ],
  [
    { ...message, stuck: null },
    "published to orders.events: the order goes on, nothing is stuck",
    "опубликовано в orders.events: заказ идёт дальше, ничего не застряло",
  ],
];

describe("a fact of an order", () => {
  test.each(FACTS)("%j is said in English and in Russian", (fact, english, russian) => {
    expect(sentenceOf(fact, "en")).toBe(english);
    expect(sentenceOf(fact, "ru")).toBe(russian);
  });
});

describe("a card's payment", () => {
  const payment: PaymentRecord = {
    paymentId: "payment/o",
    orderId: "o",
    method: "card",
    status: "captured",
    currency: "RUB",
    authorisedMinor: 1_000n,
    capturedMinor: 1_000n,
    refundedMinor: 0n,
    last4: "4242",
    brand: "visa",
    createdAt: at(0),
    updatedAt: at(9),
  };
  const pending: OrderFact = { at: at(1), correlationId: "c-1", kind: "state", sagaState: "PAYMENT_PENDING" };
  const booked = (operation: string, second: number, amountMinor: string): OrderFact => ({
    at: at(second),
    correlationId: `c-${second}`,
    kind: "ledger",
    operation,
    amountMinor,
    currency: "RUB",
    operationId: "1",
    serviceNames: [],
  });

  test("is told step by step, each with the time and the correlation id of what was written after it", () => {
    const facts = [pending, booked("charge", 2, "1000"), booked("refund", 3, "400"), booked("refund", 4, "600")];
    const steps = cardStepsOf({ sagaState: "COMPLETED", payment: { ...payment, status: "refunded", refundedMinor: 1_000n } }, facts);
    expect(steps).toEqual([
      { at: at(1), correlationId: "c-1", status: "authorised", amountMinor: 1_000n },
      { at: at(2), correlationId: "c-2", status: "captured", amountMinor: 1_000n },
      { at: at(3), correlationId: "c-3", status: "refunded", amountMinor: 400n },
      { at: at(4), correlationId: "c-4", status: "refunded", amountMinor: 600n },
    ]);
    const order = { payment, currency: "RUB" } as OrderRecord;
    expect(steps.map((step) => cardSentenceOf(step, order, "en"))).toEqual([
      "the card visa ****4242 was authorised: 10.00 RUB",
      "the card visa ****4242 was charged: 10.00 RUB",
      "the card visa ****4242 was refunded: 4.00 RUB",
      "the card visa ****4242 was refunded: 6.00 RUB",
    ]);
    expect(cardSentenceOf(steps[1] as (typeof steps)[number], order, "ru")).toBe("сумма на карте visa ****4242 списана: 10.00 RUB");
  });

  test("that was undone has its refund although nothing was booked", () => {
    const undone = { ...payment, status: "refunded" as const, refundedMinor: 1_000n };
    expect(cardStepsOf({ sagaState: "FAILED", payment: undone }, [pending]).map(({ status }) => status)).toEqual([
      "authorised",
      "captured",
      "refunded",
    ]);
  });

  test("that was declined was never authorised", () => {
    const declined = { ...payment, status: "declined" as const, authorisedMinor: 0n, capturedMinor: 0n };
    const steps = cardStepsOf({ sagaState: "FAILED", payment: declined }, []);
    expect(steps).toEqual([{ at: at(9), status: "declined", amountMinor: 0n }]);
    expect(cardSentenceOf(steps[0] as (typeof steps)[number], { payment, currency: "RUB" } as OrderRecord, "en")).toBe(
      "the card visa ****4242 was declined",
    );
  });

  test("by wallet has no steps of its own: the ledger tells of it", () => {
    expect(cardStepsOf({ sagaState: "COMPLETED", payment: { ...payment, method: "wallet" } }, [])).toEqual([]);
  });
});
