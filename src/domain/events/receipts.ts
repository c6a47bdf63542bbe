import type { FirstPlace } from "../../contract/events.ts";
import type { MessagePosition } from "../../contract/ids.ts";

/** What became of a message, where no operation of its own place tells it. `identity` is the permanent key of its effect. */
export interface EventReceipt {
  readonly position: MessagePosition;
  readonly identity: string;
  readonly outcome: "applied" | "refused" | "duplicate" | "started";
  readonly operationId?: string;
  readonly workflowId?: string;
  readonly code?: string;
}

/** Where a message stands. `origin` is there when it is a redrive: the place where its dead letter first stood. */
export interface PlacedMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly origin?: FirstPlace | undefined;
}

/** The place that gives a message its identity: of a redrive the dead letter's, of any other message its own. */
export function firstPlaceOf({ topic, partition, offset, origin }: PlacedMessage): MessagePosition {
  return origin === undefined ? { topic, partition, offset } : { topic, ...origin };
}

/**
 * The receipts of a message that the ledger has decided. None for a message that was taken for the first time, which is nearly every
 * one: its operation names the message's place itself.
 */
export function receiptsOfOperation(
  message: PlacedMessage,
  posted: { readonly key: string; readonly outcome: "done" | "refused"; readonly duplicate: boolean; readonly operationId: string },
): EventReceipt[] {
  if (!posted.duplicate && message.origin === undefined) return [];
  const outcome = posted.duplicate ? "duplicate" : posted.outcome === "done" ? "applied" : "refused";
  return atEachPlace(message, { identity: posted.key, outcome, operationId: posted.operationId });
}

/** The receipts of a message that a workflow took. */
export function receiptsOfWorkflow(
  message: PlacedMessage,
  taken: { readonly key: string; readonly outcome: "applied" | "refused" | "duplicate"; readonly workflowId: string | undefined },
): EventReceipt[] {
  const { key: identity, workflowId } = taken;
  const outcome = taken.outcome === "applied" ? "started" : taken.outcome;
  return atEachPlace(message, { identity, outcome, ...(workflowId === undefined ? {} : { workflowId }) });
}

// A dead letter's place tells what its redrive came to.
function atEachPlace(message: PlacedMessage, receipt: Omit<EventReceipt, "position">): EventReceipt[] {
  const { topic, partition, offset, origin } = message;
  const own = { position: { topic, partition, offset }, ...receipt };
  return origin === undefined ? [own] : [own, { position: firstPlaceOf(message), ...receipt }];
}
