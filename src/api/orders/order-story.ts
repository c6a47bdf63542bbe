import type { z } from "@hono/zod-openapi";
import { streamSSE, type SSEStreamingApi } from "hono/streaming";
import { withinOrThrow } from "../../base/deadline.ts";
import { messageOf } from "../../base/errors.ts";
import { formatAmount } from "../../base/money.ts";
import { isFinal } from "../../domain/orders/order-states.ts";
import { readOrderFacts, readTransitions, type OrderFact, type OrderTransition } from "../../store/orders/order-story.ts";
import type { OrderRecord } from "../../store/orders/orders.ts";
import { isClosed } from "../../use-cases/orders/closed.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { OWN_DATA } from "../http/access.ts";
import { languageAsked, type Language } from "../http/language.ts";
import type { Routes } from "../http/routes.ts";
import { createStreamSlots } from "../http/stream-slots.ts";
import { cardStepsOf, type CardStep } from "./card-steps.ts";
import { ACTIVE_DEADLINE_MS, findOwnOrder } from "./order-access.ts";
import { createOrderNews } from "./order-news.ts";
import { cardSentenceOf, sentenceOf } from "./order-sentences.ts";
import { orderEventsRoute, timelineRoute, undoPlanRoute } from "./story-schemas.ts";

const PROBLEMS = ["ORDER_NOT_FOUND"] as const;
/** How often an open stream looks for a new state. */
const WATCH_MS = 300;
/** A proxy must not take a quiet stream for a dead one. */
const HEARTBEAT_MS = 15_000;
const STREAMS = { perSubject: 20, inAll: 1_000 };
/** A stream ends after this time; the client comes again with its Last-Event-ID. */
const STREAM_MS = 600_000;

/** What happened to an order, what a cancellation would reverse, and its states as they come. */
export function addOrderStoryRoutes(routes: Routes, { db, starters, authenticator, settings, log }: ApiDeps): void {
  const { streams = STREAMS, streamHeartbeatMs = HEARTBEAT_MS } = settings;
  const slots = createStreamSlots(streams);
  const newsOf = createOrderNews((orderId, afterVersion) => readTransitions(db, orderId, afterVersion), WATCH_MS);
  const mayStillRead = async (context: ApiContext): Promise<boolean> => {
    try {
      await authenticator.authenticate(context.req.header("authorization"));
      return true;
    } catch {
      return false;
    }
  };

  routes.add(timelineRoute, { access: OWN_DATA, problems: PROBLEMS }, async (context) => {
    const order = await findOwnOrder(context, db, context.req.valid("param").orderId);
    const language = languageAsked(context);
    const facts = await readOrderFacts(db, order.orderId);
    const steps = cardStepsOf(order, facts).map((step) => tellCard(step, order, language));
    // The provider's word comes before what was written after it.
    const events = [...steps, ...facts.map((fact) => tell(fact, language))];
    events.sort((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
    return context.json({ orderId: order.orderId, language, events }, 200);
  });

  routes.add(undoPlanRoute, { access: OWN_DATA, problems: PROBLEMS }, async (context) => {
    const order = await findOwnOrder(context, db, context.req.valid("param").orderId);
    const { orderId, sagaState, currency } = order;
    const refundable = formatAmount(refundableOf(order), currency);
    const plan = isClosed(order) ? undefined : await withinOrThrow(starters.orderUndoPlan(orderId), ACTIVE_DEADLINE_MS);
    if (plan === undefined) return context.json({ orderId, sagaState, possible: false, steps: [], refundable }, 200);
    const steps = plan.steps.map(({ step, amountMinor }) =>
      amountMinor === undefined ? { step } : { step, amount: formatAmount(amountMinor, currency), currency },
    );
    return context.json({ orderId, sagaState: plan.sagaState, possible: plan.possible, steps, refundable }, 200);
  });

  routes.add(orderEventsRoute, { access: OWN_DATA, problems: PROBLEMS }, async (context) => {
    const { orderId, version: newest } = await findOwnOrder(context, db, context.req.valid("param").orderId);
    const lastId = context.req.header("last-event-id") ?? "";
    // An id that this stream never gave is as good as none.
    let version = /^\d{1,18}$/.test(lastId) && BigInt(lastId) <= newest ? BigInt(lastId) : 0n;
    const first = await readTransitions(db, orderId, version);
    if (first.length === 0) {
      const order = await findOwnOrder(context, db, orderId);
      if (isClosed(order)) return context.body(null, 204);
    }
    const giveBack = slots.take(context.get("caller"));
    context.header("cache-control", "no-store");
    context.header("x-accel-buffering", "no");
    return streamSSE(
      context,
      async (stream) => {
        stream.onAbort(giveBack);
        try {
          const endsAtMs = Date.now() + STREAM_MS;
          let heartbeatAtMs = Date.now() + streamHeartbeatMs;
          for (
            let news: readonly OrderTransition[] = first;
            !stream.aborted && Date.now() < endsAtMs;
            news = await newsOf(orderId, version)
          ) {
            for (const transition of news) {
              await send(stream, orderId, transition);
              ({ version } = transition);
              if (isFinal(transition.sagaState)) return;
            }
            if (Date.now() >= heartbeatAtMs) {
              // The token may have ended since, or been taken back: then whoever listens must show another.
              if (!(await mayStillRead(context))) return;
              await stream.write(": still here\n\n");
              heartbeatAtMs = Date.now() + streamHeartbeatMs;
            }
          }
        } finally {
          giveBack();
        }
      },
      // The client comes again with what it saw last, so an outage loses nothing.
      async (error) => log.warn({ orderId, reason: messageOf(error) }, "a stream of an order was cut"),
    );
  });
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

async function send(stream: SSEStreamingApi, orderId: string, transition: OrderTransition): Promise<void> {
  const { version, sagaState, status, at, failureCode, failureMessage } = transition;
  const failure = failureCode === null ? {} : { failure: { code: failureCode, message: failureMessage ?? "" } };
  await stream.writeSSE({
    id: version.toString(),
    event: "state",
    data: JSON.stringify({ orderId, version: version.toString(), sagaState, status, at: at.toISOString(), ...failure }),
  });
}

function refundableOf({ payment, sagaState }: OrderRecord): bigint {
  return sagaState !== "COMPLETED" || payment === undefined ? 0n : payment.capturedMinor - payment.refundedMinor;
}
