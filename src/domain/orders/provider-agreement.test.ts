import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareWithProvider, type CardOrder, type ProviderMovement } from "./provider-agreement.ts";

const order = (change: Partial<CardOrder> = {}): CardOrder => ({
  orderId: "o",
  currency: "RUB",
  totalMinor: 100n,
  end: "completed",
  chargedMinor: 100n,
  refundedMinor: 0n,
  pendingRefundMinor: 0n,
  settledByHand: false,
  ...change,
});
const failed = (change: Partial<CardOrder> = {}) => order({ end: "failed", chargedMinor: 0n, ...change });
const capture = (amountMinor = 100n, orderId = "o", currency = "RUB"): ProviderMovement => ({
  kind: "capture",
  orderId,
  amountMinor,
  currency,
});
const refund = (amountMinor = 100n, orderId = "o", currency = "RUB"): ProviderMovement => ({
  kind: "refund",
  orderId,
  amountMinor,
  currency,
});
const wordsOf = (orders: CardOrder[], movements: ProviderMovement[]) =>
  compareWithProvider(orders, movements).disagreements.map(({ orderId, words }) => `${orderId}: ${words}`);

describe("the provider's book and the ledger agree", () => {
  it.each<[string, CardOrder[], ProviderMovement[]]>([
    ["about nothing", [], []],
    ["about a completed order with its capture", [order()], [capture()]],
    ["about one refunded in part", [order({ refundedMinor: 30n })], [capture(), refund(10n), refund(20n)]],
    ["about a refund under way, not yet done", [order({ pendingRefundMinor: 40n })], [capture()]],
    ["about a refund under way, done already", [order({ pendingRefundMinor: 40n })], [capture(), refund(40n)]],
    ["about a failed order that was never paid", [failed()], []],
    ["about a failed order whose capture was given back", [failed()], [capture(), refund()]],
    ["about a failed order that a person settled outside", [failed({ settledByHand: true })], [capture()]],
    ["about an order that is paid and not yet booked", [order({ end: "none yet", chargedMinor: 0n })], [capture()]],
    ["about an order that nobody knows and that keeps nothing", [], [capture(100n, "x"), refund(100n, "x")]],
  ])("%s", (_what, orders, movements) => {
    expect(wordsOf(orders, movements)).toEqual([]);
  });

  it("and the sums of what is kept are those of finished orders, by currency", () => {
    const { kept, orders, movements } = compareWithProvider(
      [
        order({ refundedMinor: 30n }),
        order({ orderId: "e", currency: "EUR" }),
        order({ orderId: "open", end: "none yet", chargedMinor: 0n }),
      ],
      [capture(), refund(30n), capture(100n, "e", "EUR"), capture(100n, "open")],
    );
    expect(kept).toEqual([
      { currency: "RUB", providerMinor: 70n, ledgerMinor: 70n },
      { currency: "EUR", providerMinor: 100n, ledgerMinor: 100n },
    ]);
    expect([orders, movements]).toEqual([3, 4]);
  });
});

describe("what differs is named with its order", () => {
  it.each<[string, CardOrder[], ProviderMovement[], RegExp]>([
    ["a completed order without a capture", [order()], [], /^o: of 100 the provider took 0 and the ledger booked 100$/],
    ["a completed order with two captures", [order()], [capture(), capture()], /^o: the provider took the money 2 times/],
    ["two captures of half", [order()], [capture(50n), capture(50n)], /2 times/],
    ["a capture of another sum", [order()], [capture(99n)], /took 99 and the ledger booked 100/],
    ["a completed order that was not booked", [order({ chargedMinor: 0n })], [capture()], /took 100 and the ledger booked 0/],
    ["another currency", [order()], [capture(100n, "o", "EUR")], /other money than RUB/],
    ["a refund that was not booked", [order()], [capture(), refund(1n)], /gave 1 back, the ledger booked 0/],
    ["a refund that was not done", [order({ refundedMinor: 5n })], [capture(), refund(4n)], /gave 4 back, the ledger booked 5/],
    ["a failed order that kept its capture", [failed()], [capture()], /failed, and the provider took 100 and gave 0 back/],
    ["a failed order that gave back too little", [failed()], [capture(), refund(99n)], /gave 99 back/],
    ["a failed order that is booked", [failed({ chargedMinor: 100n })], [capture(), refund()], /failed, and the ledger booked 100/],
    ["one under way that is booked", [order({ end: "none yet" })], [capture()], /has not ended, and the ledger booked 100/],
    ["one under way that was paid twice", [order({ end: "none yet", chargedMinor: 0n })], [capture(), capture()], /2 times/],
    ["an order that nobody knows", [], [capture(7n, "x")], /^x: the provider keeps 7 of an order that the ledger does not know$/],
  ])("%s", (_what, orders, movements, words) => {
    expect(wordsOf(orders, movements)[0]).toMatch(words);
  });

  it("whatever one capture or refund is taken away, added or changed by a cent", () => {
    const shop = fc.array(fc.record({ paid: fc.boolean(), total: fc.bigInt(2n, 10_000n), back: fc.bigInt(0n, 1n) }), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(shop, fc.nat(), fc.constantFrom("lost", "twice", "a cent"), (made, at, how) => {
        const orders = made.map(({ paid, total, back }, n) =>
          order({
            orderId: String(n),
            totalMinor: total,
            ...(paid ? { chargedMinor: total, refundedMinor: back } : { end: "failed", chargedMinor: 0n }),
          }),
        );
        const movements = made.flatMap(({ paid, total, back }, n): ProviderMovement[] => [
          capture(total, String(n)),
          ...(paid ? (back === 0n ? [] : [refund(back, String(n))]) : [refund(total, String(n))]),
        ]);
        expect(wordsOf(orders, movements)).toEqual([]);
        const place = at % movements.length;
        const spoilt = movements.flatMap((one, n) => {
          if (n !== place) return [one];
          if (how === "a cent") return [{ ...one, amountMinor: one.amountMinor + 1n }];
          return how === "twice" ? [one, one] : [];
        });
        expect(wordsOf(orders, spoilt).length).toBeGreaterThan(0);
      }),
      { numRuns: 200 },
    );
  });
});
