import { DomainError } from "../base/errors.ts";
import { eventKey, orderWorkflowId, type MessagePosition } from "../contract/ids.ts";
import type { OrderSagaInput } from "../contract/orders.ts";
import { deadLetterTopic } from "../contract/topics.ts";
import { maskCardsOfABrand } from "../domain/cards/card.ts";
import { readOrderRequest, type OrderRequest } from "../events/order-request.ts";
import type { Starters } from "../starters/index.ts";
import { orderRequestHash } from "../use-cases/orders/asked-order.ts";
import { requireSameRequest, requireSameSaga } from "../use-cases/orders/same-order.ts";
import { resultOfEach, type OneOutcome } from "./each-result.ts";
import type { Carried, EventTopic } from "./event-topic.ts";
import { eachInOrder } from "./in-order.ts";

/** Starts side by side: each is one call to Temporal and one or two reads of Postgres. */
const AT_ONCE = 8;

export interface OrderRequestDeps {
  readonly starters: Pick<Starters, "startOrder" | "orderRequestHash">;
  /** The hash of the request that the order's row was made of; undefined while there is no row. */
  readonly knownRequestHash: (orderId: string) => Promise<string | undefined>;
  /** Gives an event's own id to a workflow for ever; answers whose it is. */
  readonly claimIdentity: (identity: string, workflowId: string) => Promise<string>;
  /** Those of the services that are sold. */
  readonly knownServices: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly defaultCurrency: string;
  /** What every order is started with besides: its deadlines, and who takes its payment. */
  readonly settings: Pick<OrderSagaInput, "paymentDeadlineMs" | "compensationFastRetries" | "paidBy">;
}

/**
 * Wishes for orders: each starts an `orderSaga` under the id that the wish gives. One that is known already is a duplicate; the same
 * id with other content is a CONFLICT, and so is an event's own id with another order: of one partition, the order that stands first
 * has the id. An event is done when its saga's start is acknowledged.
 */
export function orderRequestTopic(topic: string, deps: OrderRequestDeps): EventTopic<OrderRequest> {
  return {
    topic,
    deadLetterTopic: deadLetterTopic(topic),
    read: (value, timestampMs) => readOrderRequest(value, timestampMs, deps.defaultCurrency),
    effectOf: ({ orderId }) => ({ kind: "order", workflowId: orderWorkflowId(orderId), subjectId: orderId }),
    apply: async ({ topic: name, partition, events }) =>
      resultOfEach(
        events,
        await eachInOrder(events, { keysOf: keysOfWish, atOnce: AT_ONCE }, (event) =>
          startOrder(deps, event, { topic: name, partition, offset: event.offset }),
        ),
      ),
  };
}

// Two orders under one event's id, done side by side, would race for that id, and the later order might have it.
function keysOfWish({ orderId, eventId }: OrderRequest): string[] {
  return eventId === undefined ? [`order ${orderId}`] : [`order ${orderId}`, `event ${eventId}`];
}

async function startOrder(deps: OrderRequestDeps, event: Carried<OrderRequest>, position: MessagePosition): Promise<OneOutcome> {
  try {
    return await startOnce(deps, event, position);
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== "IDEMPOTENCY_CONFLICT") throw error;
    return { rejected: "CONFLICT", message: "the order's id belongs to another request" };
  }
}

async function startOnce(deps: OrderRequestDeps, event: Carried<OrderRequest>, position: MessagePosition): Promise<OneOutcome> {
  const place = `${position.topic}/${position.partition}/${position.offset}`;
  const { orderId, userId, currency, lines, totalMinor } = event;
  const paymentMethod = "wallet";
  const request = { orderId, requestHash: orderRequestHash({ userId, currency, lines, paymentMethod }) };
  const known = await deps.knownRequestHash(orderId);
  if (known !== undefined) {
    requireSameRequest(known, request);
    return "duplicate";
  }

  const wanted = [...new Set(lines.map(({ serviceId }) => serviceId))];
  const sold = await deps.knownServices(wanted);
  const unknown = wanted.find((id) => !sold.has(id));
  if (unknown !== undefined)
    return { rejected: "UNKNOWN_SERVICE", message: `the service ${JSON.stringify(maskCardsOfABrand(unknown))} is not known` };

  const workflowId = orderWorkflowId(orderId);
  if (event.eventId !== undefined && (await deps.claimIdentity(eventKey(position, event.eventId), workflowId)) !== workflowId)
    return { rejected: "CONFLICT", message: "the event's id belongs to a wish for another order" };

  const started = await deps.starters.startOrder({
    ...deps.settings,
    ...request,
    userId,
    currency,
    lines,
    totalMinor,
    paymentMethod,
    comment: event.comment ?? `order by event ${place}`,
    correlationId: event.correlationId ?? place,
    caller: "kafka",
  });
  if (!started.alreadyStarted) return "applied";
  await requireSameSaga(deps, request);
  return "duplicate";
}
