/** A topic as it is made when it is not there. */
export interface TopicPlan {
  readonly topic: string;
  readonly partitions: number;
  readonly settings: Readonly<Record<string, string>>;
}

export const NOTIFICATIONS_TOPIC = "notifications";
export const ORDER_EVENTS_TOPIC = "orders.events";
export const RESERVATION_EVENTS_TOPIC = "reservations.events";
/** From an order's side to a payment's side, and back (S1-40, S1-41). */
export const SAGA_COMMANDS_TOPIC = "saga.commands";
export const SAGA_REPLIES_TOPIC = "saga.replies";
/** Takes what could not be taken from either of them (S1-42). */
export const SAGA_DEAD_LETTERS_TOPIC = "dlq.saga";

/** The topic that takes what could not be taken from another one (C-10). */
export function deadLetterTopic(topic: string): string {
  return `dlq.${topic}`;
}

/** So many headers of a message are kept; one with more is no event (C-10). */
export const MAX_MESSAGE_HEADERS = 64;

const PARTITIONS = 4;

/** A dead letter is its original, which may have the broker's full 1 MiB, plus the headers that say why it is there. */
const DEAD_LETTER_MAX_BYTES = 2_097_152;

/**
 * The topics Saldo reads and writes. What comes in is unpacked by the broker: a compression that the client cannot read
 * would stop its consumer, and a message that is small only while packed is refused to its producer.
 */
export function topicsOf(config: IncomingTopics): TopicPlan[] {
  const incoming = [config.KAFKA_TOPIC, config.LOYALTY_TOPIC, config.ORDERS_TOPIC];
  return [
    ...[...incoming, SAGA_COMMANDS_TOPIC, SAGA_REPLIES_TOPIC].map(incomingPlan),
    ...[...incoming.map(deadLetterTopic), SAGA_DEAD_LETTERS_TOPIC].map((topic) => ({
      topic,
      partitions: 1,
      settings: { "max.message.bytes": String(DEAD_LETTER_MAX_BYTES) },
    })),
    { topic: NOTIFICATIONS_TOPIC, partitions: PARTITIONS, settings: {} },
    { topic: ORDER_EVENTS_TOPIC, partitions: PARTITIONS, settings: {} },
    { topic: RESERVATION_EVENTS_TOPIC, partitions: PARTITIONS, settings: {} },
  ];
}

/** Which topics events come in on. */
export interface IncomingTopics {
  readonly KAFKA_TOPIC: string;
  readonly LOYALTY_TOPIC: string;
  readonly ORDERS_TOPIC: string;
}

/** A topic that Saldo reads, as `topicsOf` makes it. */
export function incomingPlan(topic: string): TopicPlan {
  return { topic, partitions: PARTITIONS, settings: { "compression.type": "uncompressed" } };
}
