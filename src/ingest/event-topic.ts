import type { ErrorCode } from "../base/errors.ts";
import type { FirstPlace } from "../contract/events.ts";
import type { TopicIncarnation } from "../contract/topic-incarnations.ts";
import type { EventReading } from "../events/event-reading.ts";

/** A valid event with its offset and the ids that came with its message. */
export type Carried<Event> = Event & {
  readonly offset: string;
  readonly correlationId?: string;
  readonly eventId?: string;
  /** The first place of a dead letter that was sent again: the event keeps the identity of that place. */
  readonly origin?: FirstPlace;
};

/** Valid events of one partition, in their order. */
export interface EventRun<Event> {
  /** As `placeTopic` names it. */
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: string;
  readonly lastOffset: string;
  readonly events: readonly Carried<Event>[];
  /** Of which topic of its name the offsets are. */
  readonly incarnation: TopicIncarnation;
  /** All messages of the run, those that are no valid events too. */
  readonly messages: readonly { readonly offset: string; readonly value: Buffer | null }[];
}

/** A valid event that did not take effect and becomes a dead letter. */
export interface Rejected {
  readonly offset: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** The outcome of a run's events. */
export interface RunResult {
  readonly applied: number;
  readonly duplicates: number;
  readonly refused: number;
  readonly rejected: readonly Rejected[];
  /** The outcome of each event that took effect, for topics whose events leave no operation with the place of their message. */
  readonly taken?: readonly { readonly offset: string; readonly outcome: "applied" | "duplicate" | "refused" }[];
}

/** The workflow that an event starts or tells. `subjectId` is the saga id; for orders and replies that is the order id. */
export interface WorkflowEffect {
  readonly kind: "order" | "command" | "reply";
  readonly workflowId: string;
  readonly subjectId: string;
}

/** One kind of events: how a message is read, and how a run of them takes effect. */
export interface EventTopic<Event> {
  readonly topic: string;
  readonly deadLetterTopic: string;
  /** Reads a message's value as an event. Never throws on content. The event's date is judged by `timestampMs`, the message's own (-1 without one). */
  read(value: Buffer | null, timestampMs: number): EventReading<Event>;
  /** The workflow that an event starts or tells. Absent on topics whose events go to the ledger. */
  effectOf?(event: Event): WorkflowEffect;
  /**
   * Makes the events take effect, each once and the events of one key in their order; settles when that is durable. Safe to retry.
   * Throws: UNAVAILABLE, DEADLINE_EXCEEDED during an outage; then it is called again with the same run. `signal` ends the wait.
   */
  apply(run: EventRun<Event>, signal: AbortSignal): Promise<RunResult>;
}
