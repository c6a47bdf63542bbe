import type { z } from "@hono/zod-openapi";
import { withinOrThrow } from "../../base/deadline.ts";
import { formatAmount } from "../../base/money.ts";
import { readOrderFacts, type OrderFact } from "../../store/orders/order-story.ts";
import type { OrderRecord } from "../../store/orders/orders.ts";
import { isClosed } from "../../use-cases/orders/closed.ts";
import { ACTIVE_DEADLINE_MS } from "../../use-cases/orders/find-order.ts";
import type { ApiDeps } from "../deps.ts";
import { OWN_DATA } from "../http/access.ts";
import { languageAsked, type Language } from "../http/language.ts";
import type { Routes } from "../http/routes.ts";
import { cardStepsOf, type CardStep } from "./card-steps.ts";
import { findOwnOrder } from "./order-access.ts";
import { cardSentenceOf, sentenceOf } from "./order-sentences.ts";
import { addOrderStreamRoute } from "./order-stream.ts";
import { timelineRoute, undoPlanRoute } from "./story-schemas.ts";

/** What happened to an order, what a cancellation would reverse, and its states as they come. */
export function addOrderStoryRoutes(routes: Routes, deps: ApiDeps): void {
  const { db, starters } = deps;

  routes.add(timelineRoute, { access: OWN_DATA, problems: ["ORDER_NOT_FOUND"] }, async (context) => {
    const order = await findOwnOrder(context, deps, context.req.valid("param").orderId);
    const facts = await readOrderFacts(db, order.orderId);
    const language = languageAsked(context);
    const steps = cardStepsOf(order, facts).map((step) => tellCard(step, order, language));
    // At equal times the payment provider's steps come first: what Saldo wrote at that moment follows from them.
    const events = [...steps, ...facts.map((fact) => tell(fact, language))];
    events.sort((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
    return context.json({ orderId: order.orderId, language, events }, 200);
  });

  routes.add(undoPlanRoute, { access: OWN_DATA, problems: ["ORDER_NOT_FOUND"] }, async (context) => {
    const order = await findOwnOrder(context, deps, context.req.valid("param").orderId);
    const { orderId, sagaState, currency } = order;
    const refundable = formatAmount(refundableOf(order), currency);
    const plan = isClosed(order) ? undefined : await withinOrThrow(starters.orderUndoPlan(orderId), ACTIVE_DEADLINE_MS);
    if (plan === undefined) return context.json({ orderId, sagaState, possible: false, steps: [], refundable }, 200);
    const steps = plan.steps.map(({ step, amountMinor }) =>
      amountMinor === undefined ? { step } : { step, amount: formatAmount(amountMinor, currency), currency },
    );
    return context.json({ orderId, sagaState: plan.sagaState, possible: plan.possible, steps, refundable }, 200);
  });

  addOrderStreamRoute(routes, deps);
}

type Told = z.infer<(typeof timelineRoute.responses)[200]["content"]["application/json"]["schema"]>["events"][number];

function tell(fact: OrderFact, language: Language): Told {
  return {
    at: fact.at.toISOString(),
    kind: fact.kind,
    text: sentenceOf(fact, language),
    ...(fact.correlationId === undefined ? {} : { correlationId: fact.correlationId }),
    ...(fact.kind === "ledger" ? { operationId: fact.operationId } : {}),
  };
}

function tellCard(step: CardStep, order: OrderRecord, language: Language): Told {
  const told: Told = { at: step.at.toISOString(), kind: "payment", text: cardSentenceOf(step, order, language) };
  if (step.correlationId !== undefined) told.correlationId = step.correlationId;
  return told;
}

function refundableOf({ payment, sagaState }: OrderRecord): bigint {
  return sagaState !== "COMPLETED" || payment === undefined ? 0n : payment.capturedMinor - payment.refundedMinor;
}
