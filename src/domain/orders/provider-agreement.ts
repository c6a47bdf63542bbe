/** A capture or refund in the payment provider's own book. Amounts are minor units. */
export interface ProviderMovement {
  readonly kind: "capture" | "refund";
  readonly orderId: string;
  readonly amountMinor: bigint;
  readonly currency: string;
}

/** An order by card as the ledger knows it. Amounts are minor units of its currency. */
export interface CardOrder {
  readonly orderId: string;
  readonly currency: string;
  readonly totalMinor: bigint;
  readonly end: "completed" | "failed" | "none yet";
  /** Booked as taken by the provider, and as given back by it. */
  readonly chargedMinor: bigint;
  readonly refundedMinor: bigint;
  /** Refunds that are under way: the provider may have done them already. */
  readonly pendingRefundMinor: bigint;
  /** True when an operator ended a step of it outside of Saldo, which is theirs to prove. */
  readonly settledByHand: boolean;
}

/** What the provider keeps of finished orders in one currency, by its own book and by the ledger: captures less refunds. */
export interface KeptMoney {
  readonly currency: string;
  readonly providerMinor: bigint;
  readonly ledgerMinor: bigint;
}

/** An order on which the two books differ, and how, in words. */
export interface Disagreement {
  readonly orderId: string;
  readonly words: string;
}

export interface ProviderAgreement {
  readonly orders: number;
  readonly movements: number;
  readonly disagreements: readonly Disagreement[];
  readonly kept: readonly KeptMoney[];
}

/**
 * Compares the provider's book with the ledger, order by order: a completed order has exactly one capture, of its total, and its
 * refunds; a failed one keeps nothing; one under way has one capture at most; and nothing was taken for an order that nobody knows.
 * Read the orders before the book: what the ledger has booked, the provider has done before.
 */
export function compareWithProvider(orders: readonly CardOrder[], movements: readonly ProviderMovement[]): ProviderAgreement {
  const byOrder = new Map<string, ProviderMovement[]>();
  for (const movement of movements) {
    const own = byOrder.get(movement.orderId);
    if (own === undefined) byOrder.set(movement.orderId, [movement]);
    else own.push(movement);
  }
  const known = new Set(orders.map(({ orderId }) => orderId));
  const disagreements: Disagreement[] = [];
  const kept = new Map<string, KeptMoney>();
  for (const order of orders) {
    const own = byOrder.get(order.orderId) ?? [];
    for (const words of differencesOf(order, own)) disagreements.push({ orderId: order.orderId, words });
    if (order.end !== "none yet") keep(kept, order.currency, keptOf(own), order.chargedMinor - order.refundedMinor);
  }
  for (const [orderId, own] of byOrder) {
    const keptMinor = keptOf(own);
    if (known.has(orderId) || keptMinor === 0n) continue;
    disagreements.push({ orderId, words: `the provider keeps ${keptMinor} of an order that the ledger does not know` });
    keep(kept, own[0]?.currency ?? "", keptMinor, 0n);
  }
  return { orders: orders.length, movements: movements.length, disagreements, kept: [...kept.values()] };
}

function* differencesOf(order: CardOrder, own: readonly ProviderMovement[]): Generator<string> {
  const { end, totalMinor, chargedMinor, refundedMinor, pendingRefundMinor } = order;
  const captures = own.filter(({ kind }) => kind === "capture");
  const capturedMinor = sumOf(captures);
  const givenBackMinor = sumOf(own) - capturedMinor;
  if (own.some(({ currency }) => currency !== order.currency)) yield `the provider has other money than ${order.currency}`;
  if (captures.length > 1) yield `the provider took the money ${captures.length} times`;
  switch (end) {
    case "completed":
      if (capturedMinor !== totalMinor || chargedMinor !== totalMinor)
        yield `of ${totalMinor} the provider took ${capturedMinor} and the ledger booked ${chargedMinor}`;
      if (givenBackMinor < refundedMinor || givenBackMinor > refundedMinor + pendingRefundMinor)
        yield `the provider gave ${givenBackMinor} back, the ledger booked ${refundedMinor} and has ${pendingRefundMinor} under way`;
      return;
    case "failed":
      if (chargedMinor !== refundedMinor) yield `it failed, and the ledger booked ${chargedMinor} and gave ${refundedMinor} back`;
      if (capturedMinor !== givenBackMinor && !order.settledByHand)
        yield `it failed, and the provider took ${capturedMinor} and gave ${givenBackMinor} back`;
      return;
    case "none yet":
      if (chargedMinor !== 0n) yield `it has not ended, and the ledger booked ${chargedMinor}`;
  }
}

function keptOf(movements: readonly ProviderMovement[]): bigint {
  return movements.reduce((sum, { kind, amountMinor }) => (kind === "capture" ? sum + amountMinor : sum - amountMinor), 0n);
}

function sumOf(movements: readonly ProviderMovement[]): bigint {
  return movements.reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
}

function keep(kept: Map<string, KeptMoney>, currency: string, providerMinor: bigint, ledgerMinor: bigint): void {
  const before = kept.get(currency) ?? { currency, providerMinor: 0n, ledgerMinor: 0n };
  kept.set(currency, {
    currency,
    providerMinor: before.providerMinor + providerMinor,
    ledgerMinor: before.ledgerMinor + ledgerMinor,
  });
}
