import { orderRefundWorkflowId, orderWorkflowId, sagaCommandWorkflowId } from "../contract/ids.ts";
import { SAGA_REFUND, type SagaPaymentRequest } from "../contract/saga-commands.ts";
import { SAGA_COMMANDS_TOPIC, SAGA_DEAD_LETTERS_TOPIC, SAGA_REPLIES_TOPIC } from "../contract/topics.ts";
import { foreignWords } from "../domain/cards/foreign-words.ts";
import { readSagaCommand, readSagaReply, type SagaCommandEvent, type SagaReplyEvent } from "../events/saga-messages.ts";
import type { Starters } from "../starters/index.ts";
import type { SagaOrder } from "../store/orders/saga-commands.ts";
import { resultOfEach, type OneOutcome } from "./each-result.ts";
import type { Carried, EventTopic } from "./event-topic.ts";
import { eachInOrder } from "./in-order.ts";

/** How many commands or replies are handled side by side. */
const AT_ONCE = 8;

export interface SagaCommandDeps {
  readonly starters: Pick<Starters, "runSagaCommand">;
  readonly defaultCurrency: string;
}

/**
 * The topic of commands, for the payment's side. Each command runs as a `sagaCommand` workflow to its end, so that a saga's REFUND never
 * overtakes its CHARGE. A command that the wallet refuses gets the reply FAILED. A command that could not be executed gets no reply: it
 * becomes a dead letter.
 */
export function sagaCommandTopic(deps: SagaCommandDeps, topic: string = SAGA_COMMANDS_TOPIC): EventTopic<SagaCommandEvent> {
  return {
    topic,
    deadLetterTopic: SAGA_DEAD_LETTERS_TOPIC,
    read: (value, timestampMs) => readSagaCommand(value, timestampMs, deps.defaultCurrency),
    effectOf: ({ sagaId, command }) => ({ kind: "command", workflowId: sagaCommandWorkflowId(sagaId, command), subjectId: sagaId }),
    apply: async ({ topic: name, partition, events }, signal) =>
      resultOfEach(
        events,
        await eachInOrder(events, { keysOf: ({ sagaId }) => [sagaId], atOnce: AT_ONCE }, (event) =>
          execute(deps, event, `${name}/${partition}/${event.offset}`, signal),
        ),
      ),
  };
}

async function execute(deps: SagaCommandDeps, event: Carried<SagaCommandEvent>, place: string, signal: AbortSignal): Promise<OneOutcome> {
  const { offset: _offset, eventId: _eventId, comment, correlationId, ...command } = event;
  const result = await deps.starters.runSagaCommand(
    {
      ...command,
      comment: comment ?? `${command.command} of saga ${command.sagaId}, event ${place}`,
      correlationId: correlationId ?? place,
    },
    signal,
  );
  const isOther =
    result.outcome === "conflict" ||
    result.amountMinor !== event.amountMinor ||
    result.currency !== event.currency ||
    result.userId !== event.userId;
  if (isOther) return { rejected: "CONFLICT", message: `the saga's ${event.command} was another one` };
  if (result.outcome === "impossible")
    return { rejected: "INTERNAL", message: `the ledger cannot take it: ${result.error ?? "no reason"}` };
  return result.outcome === "failed" ? "refused" : "applied";
}

export interface SagaReplyDeps {
  readonly starters: Pick<Starters, "replyToOrder" | "followSagaRefund" | "replyToRefund">;
  /** The order of a saga; undefined when there is none. */
  readonly findOrder: (sagaId: string) => Promise<SagaOrder | undefined>;
  /** Sends a REFUND for a payment that succeeded after its order was undone. True the first time. */
  readonly refundLate: (payment: SagaPaymentRequest, paymentId: string) => Promise<boolean>;
}

/**
 * The topic of replies, for the order's side. Each reply to a CHARGE is handed to the order's saga, which takes the first one. A SUCCEEDED that
 * comes for an order that is undone, or is being undone, causes one REFUND. A reply to a REFUND is handed to the workflow that waits for it.
 * A reply to a command that was never sent becomes a dead letter: no money was moved for it.
 */
export function sagaReplyTopic(deps: SagaReplyDeps, topic: string = SAGA_REPLIES_TOPIC): EventTopic<SagaReplyEvent> {
  return {
    topic,
    deadLetterTopic: SAGA_DEAD_LETTERS_TOPIC,
    read: readSagaReply,
    effectOf: ({ sagaId, command }) => ({
      kind: "reply",
      workflowId: command === "REFUND" ? orderRefundWorkflowId(sagaId, SAGA_REFUND) : orderWorkflowId(sagaId),
      subjectId: sagaId,
    }),
    apply: async ({ topic: name, partition, events }) =>
      resultOfEach(
        events,
        await eachInOrder(events, { keysOf: ({ sagaId }) => [sagaId], atOnce: AT_ONCE }, (event) =>
          tell(deps, event, `${name}/${partition}/${event.offset}`),
        ),
      ),
  };
}

async function tell(deps: SagaReplyDeps, event: Carried<SagaReplyEvent>, place: string): Promise<OneOutcome> {
  const { sagaId, status, command, paymentId, error } = event;
  const reply = {
    status,
    ...(paymentId === undefined ? {} : { paymentId }),
    ...(error === undefined ? {} : { error: foreignWords(error) }),
  };
  const order = await deps.findOrder(sagaId);
  if (order === undefined) return { rejected: "ORDER_NOT_FOUND", message: "no order has this saga" };
  if (!order.isAsked) return { rejected: "CONFLICT", message: "no CHARGE of this order was sent" };
  if (command === "REFUND") {
    if (!order.isUndone) return { rejected: "CONFLICT", message: "no REFUND of this order was sent" };
    return (await deps.starters.replyToRefund(order.payment, reply)) ? "applied" : "duplicate";
  }
  const told = await deps.starters.replyToOrder(sagaId, reply);
  // Read again: the order may have been undone before the reply reached its saga.
  const standing = await deps.findOrder(sagaId);
  if (status !== "SUCCEEDED" || standing?.isUndone !== true) return told ? "applied" : "duplicate";
  if (standing.isPaymentKnown) return "duplicate";
  // Before the REFUND is sent: its answer must find a workflow that waits for it.
  await deps.starters.followSagaRefund(order.payment);
  return (await deps.refundLate(order.payment, paymentId ?? place)) ? "applied" : "duplicate";
}
