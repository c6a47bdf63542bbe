import { orderWorkflowId, sagaCommandWorkflowId } from "../contract/ids.ts";
import { SAGA_COMMANDS_TOPIC, SAGA_DEAD_LETTERS_TOPIC, SAGA_REPLIES_TOPIC } from "../contract/topics.ts";
import { readSagaCommand, readSagaReply, type SagaCommandEvent, type SagaReplyEvent } from "../events/saga-messages.ts";
import type { Starters } from "../starters.ts";
import { resultOfEach, type OneOutcome } from "./each-result.ts";
import type { Carried, EventTopic } from "./event-topic.ts";
import { eachInOrder } from "./in-order.ts";

const AT_ONCE = 8;

export interface SagaCommandDeps {
  readonly starters: Pick<Starters, "runSagaCommand">;
  readonly defaultCurrency: string;
}

/**
 * The payment side: each command runs as a `sagaCommand` to its end, so that a saga's REFUND never overtakes its CHARGE. Refusals of
 * the wallet are answered as FAILED and are no dead letters.
 */
export function sagaCommandTopic(deps: SagaCommandDeps, topic: string = SAGA_COMMANDS_TOPIC): EventTopic<SagaCommandEvent> {
  return {
    topic,
    deadLetterTopic: SAGA_DEAD_LETTERS_TOPIC,
    read: (value, timestampMs) => readSagaCommand(value, timestampMs, deps.defaultCurrency),
    workflowIdOf: ({ sagaId, command }) => sagaCommandWorkflowId(sagaId, command),
    apply: async ({ topic: name, partition, events }, signal) =>
      resultOfEach(
        events,
        await eachInOrder(events, { keyOf: ({ sagaId }) => sagaId, atOnce: AT_ONCE }, (event) =>
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
  return result.outcome === "failed" ? "refused" : "applied";
}

export interface SagaReplyDeps {
  readonly starters: Pick<Starters, "replyToOrder">;
  /** The order of a saga; undefined when there is none. */
  readonly findOrder: (sagaId: string) => Promise<{ readonly isUndone: boolean } | undefined>;
  /** Answers a late yes with a REFUND, the first time. */
  readonly refundLate: (sagaId: string, paymentId: string) => Promise<boolean>;
}

/**
 * The order side: each reply is told to its saga, which takes the first one. A yes that comes when the order is being undone or is
 * undone is answered with a REFUND, once.
 */
export function sagaReplyTopic(deps: SagaReplyDeps, topic: string = SAGA_REPLIES_TOPIC): EventTopic<SagaReplyEvent> {
  return {
    topic,
    deadLetterTopic: SAGA_DEAD_LETTERS_TOPIC,
    read: readSagaReply,
    workflowIdOf: ({ sagaId }) => orderWorkflowId(sagaId),
    apply: async ({ topic: name, partition, events }) =>
      resultOfEach(
        events,
        await eachInOrder(events, { keyOf: ({ sagaId }) => sagaId, atOnce: AT_ONCE }, (event) =>
          tell(deps, event, `${name}/${partition}/${event.offset}`),
        ),
      ),
  };
}

async function tell(deps: SagaReplyDeps, event: Carried<SagaReplyEvent>, place: string): Promise<OneOutcome> {
  const { sagaId, status, command, paymentId, error } = event;
  // What became of a REFUND decides nothing any more.
  if (command === "REFUND") return "applied";
  const told = await deps.starters.replyToOrder(sagaId, {
    status,
    ...(paymentId === undefined ? {} : { paymentId }),
    ...(error === undefined ? {} : { error }),
  });
  const order = await deps.findOrder(sagaId);
  if (order === undefined) return { rejected: "ORDER_NOT_FOUND", message: "no order has this saga" };
  if (status === "SUCCEEDED" && order.isUndone) return (await deps.refundLate(sagaId, paymentId ?? place)) ? "applied" : "duplicate";
  return told ? "applied" : "duplicate";
}
