import type { EventBatchInput, EventBatchResult, LoyaltyEventItem, PurchaseEventItem } from "../src/contract/events.ts";
import { eventKey } from "../src/contract/ids.ts";
import type { Operation } from "../src/domain/operations.ts";
import { pointsOperation, purchaseOperation } from "../src/domain/wallet-operations.ts";
import { messageOf } from "../src/errors.ts";
import { isRetryable } from "../src/store/lane.ts";
import type { Ledger, PostResult } from "../src/store/ledger.ts";
import type { ActivityDeps } from "./activity-deps.ts";
import { currentWorkflow } from "./execution.ts";

/** What the `eventBatch` workflow does in the world. */
export function createEventActivities({ ledger }: Pick<ActivityDeps, "ledger">) {
  return {
    /**
     * Applies a batch of purchases or of loyalty transactions to the ledger, each once, in their order.
     * Safe to retry: every event has its permanent key, so what was applied is a duplicate the next time.
     * Throws: UNAVAILABLE or DEADLINE_EXCEEDED, both worth another try.
     */
    async applyEvents(input: EventBatchInput): Promise<EventBatchResult> {
      const source = { topic: input.topic, partition: input.partition, ...currentWorkflow() };
      const operations =
        input.kind === "loyalty"
          ? input.events.map((event) => loyaltyOperation(source, event))
          : input.events.map((event) => toPurchaseOperation(source, event));
      return summarize(input.events, await postEach(ledger, operations));
    },
  };
}

type Posted = PostResult | { readonly outcome: "failed"; readonly message: string };

/** One call for all. When the ledger cannot take one of them at all, each is posted alone and only that one fails. */
async function postEach(ledger: Ledger, operations: readonly Operation[]): Promise<Posted[]> {
  try {
    return await ledger.postAll(operations);
  } catch (error) {
    if (isRetryable(error)) throw error;
  }
  const posted: Posted[] = [];
  for (const operation of operations) posted.push(await postAlone(ledger, operation));
  return posted;
}

async function postAlone(ledger: Ledger, operation: Operation): Promise<Posted> {
  try {
    return await ledger.post(operation);
  } catch (error) {
    if (isRetryable(error)) throw error;
    return { outcome: "failed", message: messageOf(error) };
  }
}

interface Source {
  readonly topic: string;
  readonly partition: number;
  readonly workflowId: string;
  readonly runId: string;
}

function toPurchaseOperation(source: Source, event: PurchaseEventItem): Operation {
  return purchaseOperation({
    ...commonOf(source, event),
    paymentMethod: event.paymentMethod,
    occurredAt: event.occurredAt,
    ...(event.serviceId === undefined ? {} : { serviceId: event.serviceId }),
    ...(event.orderId === undefined ? {} : { orderId: event.orderId }),
    comment: `purchase paid by ${event.paymentMethod}, event ${placeOf(source, event)}`,
  });
}

function loyaltyOperation(source: Source, event: LoyaltyEventItem): Operation {
  const words = event.comment ?? `${event.type} of points`;
  return pointsOperation({
    ...commonOf(source, event),
    type: event.type,
    occurredAt: event.occurredAt,
    comment: `${words}, event ${placeOf(source, event)}`,
  });
}

function placeOf({ topic, partition }: Source, { offset }: { readonly offset: string }): string {
  return `${topic}/${partition}/${offset}`;
}

function commonOf(source: Source, event: PurchaseEventItem | LoyaltyEventItem) {
  const position = { topic: source.topic, partition: source.partition, offset: event.offset };
  return {
    key: eventKey(position, event.eventId),
    userId: event.userId,
    currency: event.currency,
    amountMinor: BigInt(event.amountMinor),
    origin: {
      caller: "kafka",
      correlationId: event.correlationId ?? placeOf(source, event),
      position,
      workflowId: source.workflowId,
      runId: source.runId,
    },
  };
}

function summarize(events: readonly { readonly offset: string }[], posted: readonly Posted[]): EventBatchResult {
  const results = events.map((event, place) => ({ offset: event.offset, ...(posted[place] as Posted) }));
  const decided = results.filter((result) => result.outcome === "done" || result.outcome === "refused");
  const fresh = decided.filter((result) => !result.duplicate);
  return {
    applied: fresh.filter(({ outcome }) => outcome === "done").length,
    refused: fresh.filter(({ outcome }) => outcome === "refused").length,
    duplicates: decided.length - fresh.length,
    conflicts: results
      .filter((result) => result.outcome === "conflict")
      .map(({ offset, operationId }) => ({
        offset,
        message: `the event's id belongs to operation ${operationId}, which has other content`,
      })),
    failures: results.filter((result) => result.outcome === "failed").map(({ offset, message }) => ({ offset, message })),
  };
}
