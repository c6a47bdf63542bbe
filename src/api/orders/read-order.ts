import type { z } from "@hono/zod-openapi";
import { DomainError } from "../../base/errors.ts";
import { MAX_AMOUNT_MINOR } from "../../base/money.ts";
import { checkCard } from "../../domain/cards/card.ts";
import { orderRequestHash, type AskedOrder } from "../../use-cases/orders/asked-order.ts";
import type { ApiSettings } from "../deps.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import type { orderBodySchema } from "./orders-schemas.ts";

export type OrderBody = z.output<typeof orderBodySchema>;

const CARD_POINTERS = { number: "/payment/card/number", expiry: "/payment/card/expiry", cvc: "/payment/card/cvc" };

/** Reads an order out of its body. Throws: INVALID_AMOUNT, INVALID_CURRENCY, INVALID_CARD with the place. */
export function readOrder(
  body: OrderBody,
  origin: { readonly orderId: string; readonly caller: string; readonly correlationId: string },
  settings: Pick<ApiSettings, "defaultCurrency" | "orders">,
): AskedOrder {
  const currency = readCurrency(body.currency, settings.defaultCurrency);
  const amounts = body.items.map(({ amount }, place) => readAmount(amount, currency, `/items/${place}/amount`));
  const totalMinor = amounts.reduce((sum, amountMinor) => sum + amountMinor, 0n);
  if (totalMinor > MAX_AMOUNT_MINOR)
    throw new DomainError("INVALID_AMOUNT", "the items add up to more than one operation may carry", { pointer: "/items" });
  const lines = body.items.map(({ serviceId, quantity = 1 }, place) => ({
    lineNo: place + 1,
    serviceId,
    quantity,
    amountMinor: String(amounts[place]),
  }));
  const { card: given, token } = body.payment?.method === "card" ? body.payment : {};
  const card = given === undefined ? undefined : checkCard(withoutHolder(given), new Date(), CARD_POINTERS);
  const paymentMethod = body.payment?.method === "card" ? "card" : "wallet";
  const paidWith = card ?? (token === undefined ? undefined : { token });
  return {
    card: paidWith,
    input: {
      orderId: origin.orderId,
      userId: body.userId,
      currency,
      lines,
      totalMinor: totalMinor.toString(),
      paymentMethod,
      comment: body.comment ?? "order over HTTP",
      requestHash: orderRequestHash({ userId: body.userId, currency, lines, paymentMethod }, paidWith),
      correlationId: origin.correlationId,
      caller: origin.caller,
      ...settings.orders,
    },
  };
}

/** The content by which a repeat under an Idempotency-Key is told from another order. Of a card only the last four digits, which are kept anyway: the number could be found from its hash by brute force. */
export function orderContent(asked: readonly object[]): readonly unknown[] {
  return asked.map((part) => {
    const { payment, ...rest } = part as Partial<OrderBody>;
    if (payment?.method !== "card") return part;
    const { card, token } = payment;
    return {
      ...rest,
      payment: { method: "card", ...(card === undefined ? { token } : { last4: card.number.replaceAll(/\D/g, "").slice(-4) }) },
    };
  });
}

/** True for the body of an order that a payment provider takes part in. */
export function isByCard(part: object): boolean {
  return (part as Partial<OrderBody>).payment?.method === "card";
}

function withoutHolder({ number, expiry, cvc, holderName }: NonNullable<Extract<OrderBody["payment"], { method: "card" }>["card"]>) {
  return { number, expiry, cvc, ...(holderName === undefined ? {} : { holderName }) };
}
