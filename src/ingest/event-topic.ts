import type { ErrorCode } from "../base/errors.ts";
import type { FirstPlace } from "../contract/events.ts";
import type { EventReading } from "../events/event-reading.ts";

/** A valid event on its way: what it says, where it stands, and what it came with. */
export type Carried<Event> = Event & {
  readonly offset: string;
  readonly correlationId?: string;
  readonly eventId?: string;
  /** Where the message first stood, when it was a dead letter that was sent again: its identity is that of this place. */
  readonly origin?: FirstPlace;
};

/** Valid events of one partition in their order. */
export interface EventRun<Event> {
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: string;
  readonly lastOffset: string;
  readonly events: readonly Carried<Event>[];
}

/** A valid event that was not taken and is to be a dead letter. */
export interface Rejected {
  readonly offset: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What became of a run. */
export interface RunResult {
  readonly applied: number;
  readonly duplicates: number;
  readonly refused: number;
  readonly rejected: readonly Rejected[];
  /** What became of each that was taken, where no operation tells it by its place. */
  readonly taken?: readonly { readonly offset: string; readonly outcome: "applied" | "duplicate" | "refused" }[];
}

/** The workflow that an event is for, which is known by its id for ever. `subjectId` is the saga's, which is the order's where Saldo is the order's side. */
export interface WorkflowEffect {
  readonly kind: "order" | "command" | "reply";
  readonly workflowId: string;
  readonly subjectId: string;
}

/** One kind of events: how a message is read, and how a run of them takes effect. */
export interface EventTopic<Event> {
  readonly topic: string;
  readonly deadLetterTopic: string;
  /** Never throws on content. */
  read(value: Buffer | null, timestampMs: number): EventReading<Event>;
  /** What an event starts or tells, where it is a workflow and not the ledger at once. */
  effectOf?(event: Event): WorkflowEffect;
  /**
   * Makes the events take effect, each once and those of one key in their order; settles when that is durable. Safe to retry.
   * Throws: UNAVAILABLE, DEADLINE_EXCEEDED while a part is away: the same run is then handed to it again. `signal` ends the wait.
   */
  apply(run: EventRun<Event>, signal: AbortSignal): Promise<RunResult>;
}
