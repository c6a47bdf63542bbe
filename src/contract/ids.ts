import type { SagaCommandKind } from "./saga-commands.ts";

/** The id of the workflow that runs an order. */
export function orderWorkflowId(orderId: string): string {
  return `order/${orderId}`;
}

/** The id of the workflow that gives back a part of a completed order's money. */
export function orderRefundWorkflowId(orderId: string, refundId: string): string {
  return `refund/${orderId}/${refundId}`;
}

/** What the ids of orders that carry out a purchase by card begin with. */
export const PURCHASE_ORDER = "purchase-";

/** The id of the order that carries out a purchase by card; `requestId` stands for the request. */
export function purchaseOrderId(requestId: string): string {
  return `${PURCHASE_ORDER}${requestId}`;
}

/** The provider's keys of an order's payment: stable per order and step, never per attempt. */
export function paymentKey(orderId: string, step: PaymentKeyStep): string {
  return `${orderId}:${step}`;
}

const PAYMENT_KEY_STEPS = ["authorise", "capture", "cancel", "refund"] as const;
export type PaymentKeyStep = (typeof PAYMENT_KEY_STEPS)[number];

/** The key of one of several refunds of an order's payment. */
export function refundKey(orderId: string, refundId: string): string {
  return `${paymentKey(orderId, "refund")}:${refundId}`;
}

/** The order and the step that a provider's key belongs to, as `paymentKey` and `refundKey` make it; undefined for another text. */
export function readPaymentKey(key: string): { readonly orderId: string; readonly step: PaymentKeyStep } | undefined {
  const [, orderId, step] = /^(.+):(authorise|capture|cancel|refund(?=$|:))(?:(?<=refund):.+)?$/.exec(key) ?? [];
  const known = PAYMENT_KEY_STEPS.find((each) => each === step);
  return orderId === undefined || known === undefined ? undefined : { orderId, step: known };
}

/** The id of the workflow that keeps a reservation's time. */
export function reservationWorkflowId(reservationId: string): string {
  return `reservation/${reservationId}`;
}

/** The id of the workflow that makes one version of a month's revenue report; the month is `yyyy-mm`. */
export function reportWorkflowId(month: string, version: number): string {
  return `revenue-report/${month}/${version}`;
}

/** The id of the workflow that applies a run of Kafka events, first and last offset included. */
export function eventBatchWorkflowId(batch: { topic: string; partition: number; firstOffset: string; lastOffset: string }): string {
  return `events/${batch.topic}/${batch.partition}/${batch.firstOffset}-${batch.lastOffset}`;
}

/** The id of the workflow that executes a saga's command, and the command's permanent key in the ledger. */
export function sagaCommandWorkflowId(sagaId: string, command: SagaCommandKind): string {
  return `saga-command/${sagaId}/${command}`;
}

/** The id of the workflow that brings an event to a webhook. */
export function webhookDeliveryWorkflowId(delivery: { readonly webhookId: string; readonly eventId: string }): string {
  return `webhook/${delivery.webhookId}/${delivery.eventId}`;
}

/** The permanent key of a workflow's step in the ledger. The same step of the same workflow is the same operation for ever. */
export function stepKey(workflowId: string, step: string): string {
  return `${workflowId}:${step}`;
}

/** The permanent key under which a refused operation is decided once more. */
export function decidedAgainKey(refusedOperationId: string): string {
  return `again:${refusedOperationId}`;
}

/** What the keys of all tries to rescue a reservation begin with; the number of the try follows. */
export function rescueKeyPrefix(reservationId: string): string {
  return stepKey(reservationWorkflowId(reservationId), "rescue/");
}

/**
 * The permanent key of what a client asked for under its Idempotency-Key. Keys of different callers and routes never meet: a
 * caller's colons are escaped, and no route has one, so only the key itself may hold them.
 */
export function requestKey(request: { caller: string; route: string; idempotencyKey: string }): string {
  const caller = request.caller.replaceAll("%", "%25").replaceAll(":", "%3A");
  return `http:${caller}:${request.route}:${request.idempotencyKey}`;
}

/**
 * What stands for one line of a request about several reservations. A space comes before the number: an Idempotency-Key has none, so no
 * other request's key looks like this.
 */
export function lineKey(key: string, lineNo: number): string {
  return `${key} line/${lineNo}`;
}

/** What the permanent keys of all that a request did to single reservations of an order begin with. */
export function lineActPrefix(key: string): string {
  return `${key} act/`;
}

/** The permanent key of what a request did to one of an order's reservations. It holds the currency that the request was limited to: another currency is another request. */
export function lineActKey(key: string, currency: string | undefined, reservationId: string): string {
  return `${lineActPrefix(key)}${currency ?? "*"}/${reservationId}`;
}

/** The permanent key under which a line is given back because another line of the same request was refused. */
export function undoneLineKey(reservationId: string): string {
  return stepKey(reservationWorkflowId(reservationId), "undone");
}

/** The id of the trace that a W3C `traceparent` belongs to: 32 hexadecimal digits; undefined when the text is no traceparent. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  const [, traceId] = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/.exec(traceparent ?? "") ?? [];
  return traceId;
}

/**
 * Where a Kafka message stands. `topic` names the topic as `placeTopic` does. The offset is decimal text: it may pass 2^53.
 */
export interface MessagePosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

/** No topic of Kafka has it in its name. */
const INCARNATION = "~";

/**
 * What a topic is called where a place in it is named. The first topic of a name is called by it, as earlier releases called every one; the second
 * that stood under the name, made again or on another cluster, is `purchases~2`: the same partition and offset is another place there.
 */
export function placeTopic(topic: string, incarnation: number): string {
  return incarnation === 1 ? topic : `${topic}${INCARNATION}${incarnation}`;
}

/** The topic's name in Kafka, from what it is called in a place. */
export function kafkaTopicOf(calledInPlace: string): string {
  const [topic = calledInPlace] = calledInPlace.split(INCARNATION, 1);
  return topic;
}

/** The identity of an event: its own id where it has one, whichever topic of the name brought it, else its place, never its content. */
export function eventKey(position: MessagePosition, eventId: string | undefined): string {
  return eventId === undefined
    ? `event:${position.topic}@${position.partition}:${position.offset}`
    : `event:${kafkaTopicOf(position.topic)}#${eventId}`;
}
