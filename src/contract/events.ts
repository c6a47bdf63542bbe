import type { TopicIncarnation } from "./topic-incarnations.ts";

/** Where the dead letter of a redrive, which is a dead letter sent again to its topic, first stood. */
export interface FirstPlace {
  /** There when the topic was made again since then. */
  readonly topic?: string;
  readonly partition: number;
  readonly offset: string;
}

/** One valid purchase event as it travels to its workflow. `offset` is decimal text; `amountMinor` is minor units as text. */
export interface PurchaseEventItem {
  readonly offset: string;
  readonly eventId?: string;
  readonly userId: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly paymentMethod: string;
  /** The user's name, where the event says it. */
  readonly username?: string;
  /** ISO 8601, UTC. */
  readonly occurredAt: string;
  readonly serviceId?: string;
  readonly orderId?: string;
  /** From the message's header; without it the event's place in the topic. */
  readonly correlationId?: string;
  /** There when the message is a redrive: its identity is that of this place. */
  readonly origin?: FirstPlace;
}

/** One valid loyalty transaction as it travels to its workflow. `amountMinor` is whole points as text. */
export interface LoyaltyEventItem {
  readonly offset: string;
  readonly eventId: string;
  readonly userId: string;
  readonly type: "accrual" | "redemption";
  readonly amountMinor: string;
  readonly currency: string;
  /** ISO 8601, UTC. */
  readonly occurredAt: string;
  readonly comment?: string;
  readonly correlationId?: string;
  readonly origin?: FirstPlace;
}

interface Run<Item> {
  /** As `placeTopic` names it. */
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: string;
  readonly lastOffset: string;
  readonly events: readonly Item[];
}

/** A run of purchases. `kind` is optional because workflows started before loyalty runs existed carry none. */
export type PurchaseBatchInput = Run<PurchaseEventItem> & { readonly kind?: "purchase" };
export type LoyaltyBatchInput = Run<LoyaltyEventItem> & { readonly kind: "loyalty" };

/** Events of one kind and one partition in their order. */
export type EventBatchInput = PurchaseBatchInput | LoyaltyBatchInput;

/**
 * A run of events by the place of its messages in Kafka, where they stay: who applies it has its events beside it, or reads the messages from
 * `firstOffset` to `lastOffset` again.
 */
export interface EventBatchPlace {
  readonly kind: "purchase" | "loyalty";
  /** As `placeTopic` names it. */
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: string;
  readonly lastOffset: string;
  /** Of which topic of its name the offsets are. */
  readonly incarnation: TopicIncarnation;
  /** How many of the messages are events of the run; the others are dead letters. */
  readonly count: number;
  /** Of the messages, in hexadecimal digits: `messagesSha256` makes it. */
  readonly sha256: string;
}

/** What starts an `eventBatch`. */
export type EventBatchStart = EventBatchInput | EventBatchPlace;

/**
 * What became of a batch. Two kinds become dead letters: `conflicts`, whose identity was used before with other content, and `failures`,
 * which the ledger refuses however often they are tried.
 */
export interface EventBatchResult {
  readonly applied: number;
  readonly duplicates: number;
  readonly refused: number;
  readonly conflicts: readonly { readonly offset: string; readonly message: string }[];
  readonly failures: readonly { readonly offset: string; readonly message: string }[];
}
