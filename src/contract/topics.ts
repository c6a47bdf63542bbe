/** A topic as Saldo makes it when the broker has none of that name. */
export interface TopicPlan {
  readonly topic: string;
  readonly partitions: number;
  readonly settings: Readonly<Record<string, string>>;
}

export const NOTIFICATIONS_TOPIC = "notifications";
export const ORDER_EVENTS_TOPIC = "orders.events";
export const RESERVATION_EVENTS_TOPIC = "reservations.events";
/** From the order side of a saga to its payment side, and back (S1-40, S1-41). */
export const SAGA_COMMANDS_TOPIC = "saga.commands";
export const SAGA_REPLIES_TOPIC = "saga.replies";
/** Takes the dead letters of both saga topics (S1-42). */
export const SAGA_DEAD_LETTERS_TOPIC = "dlq.saga";

/** The topics whose names Saldo gives itself, whatever the configuration says. */
export const OWN_TOPICS: readonly string[] = [
  NOTIFICATIONS_TOPIC,
  ORDER_EVENTS_TOPIC,
  RESERVATION_EVENTS_TOPIC,
  SAGA_COMMANDS_TOPIC,
  SAGA_REPLIES_TOPIC,
  SAGA_DEAD_LETTERS_TOPIC,
];

const DEAD_LETTERS = "dlq.";

/** The topic that takes the dead letters of another topic (C-10). */
export function deadLetterTopic(topic: string): string {
  return `${DEAD_LETTERS}${topic}`;
}

/** True when events may come in on the topic: it is none of Saldo's own, holds no dead letters, and its dead letters get a topic to themselves. */
export function mayComeIn(topic: string): boolean {
  return !OWN_TOPICS.includes(topic) && !topic.startsWith(DEAD_LETTERS) && !OWN_TOPICS.includes(deadLetterTopic(topic));
}

/** So many headers of a message are kept; a message with more is a dead letter (C-10). */
export const MAX_MESSAGE_HEADERS = 64;

const PARTITIONS = 4;

/** A dead letter is its original, which may have the broker's full 1 MiB, plus the headers that say why it is there. */
const DEAD_LETTER_MAX_BYTES = 2_097_152;

/**
 * By the time of arrival messages are kept and removed, whatever time their producers give them: an event of 1997 that carries its own
 * time would be older than the topic's retention when it comes, and be gone before it is read.
 */
const KEPT_BY_ARRIVAL = { "message.timestamp.type": "LogAppendTime" };

/**
 * The topics Saldo reads and writes. The broker stores incoming messages uncompressed: a message that is small only while compressed is
 * refused to its producer.
 */
export function topicsOf(config: IncomingTopics): TopicPlan[] {
  const incoming = [config.KAFKA_TOPIC, config.LOYALTY_TOPIC, config.ORDERS_TOPIC];
  return [
    ...[...incoming, SAGA_COMMANDS_TOPIC, SAGA_REPLIES_TOPIC].map(incomingPlan),
    ...[...incoming.map(deadLetterTopic), SAGA_DEAD_LETTERS_TOPIC].map((topic) => ({
      topic,
      partitions: 1,
      settings: { ...KEPT_BY_ARRIVAL, "max.message.bytes": String(DEAD_LETTER_MAX_BYTES) },
    })),
    { topic: NOTIFICATIONS_TOPIC, partitions: PARTITIONS, settings: KEPT_BY_ARRIVAL },
    { topic: ORDER_EVENTS_TOPIC, partitions: PARTITIONS, settings: KEPT_BY_ARRIVAL },
    { topic: RESERVATION_EVENTS_TOPIC, partitions: PARTITIONS, settings: KEPT_BY_ARRIVAL },
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
  return { topic, partitions: PARTITIONS, settings: { ...KEPT_BY_ARRIVAL, "compression.type": "uncompressed" } };
}
