import { DomainError, messageOf } from "../src/base/errors.ts";
import type { EventBatchInput, EventBatchPlace, EventBatchResult, LoyaltyEventItem, PurchaseEventItem } from "../src/contract/events.ts";
import { eventKey, type MessagePosition } from "../src/contract/ids.ts";
import { firstPlaceOf, receiptsOfOperation, type EventReceipt, type PlacedMessage } from "../src/domain/events/receipts.ts";
import type { Operation } from "../src/domain/ledger/operations.ts";
import { pointsOperation, purchaseOperation } from "../src/domain/ledger/wallet-operations.ts";
import { toldPurchaseComment } from "../src/domain/purchases/purchase-comment.ts";
import { recordReceipts } from "../src/store/events/receipts.ts";
import type { Ledger, PostResult } from "../src/store/ledger/ledger.ts";
import { isContentRefused } from "../src/store/postgres/lane.ts";
import type { ActivityDeps } from "./activity-deps.ts";
import { currentWorkflow } from "./execution.ts";

type Deps = Pick<ActivityDeps, "ledger" | "eventsAt"> & Partial<Pick<ActivityDeps, "db">>;

/** The activities of the `eventBatch` workflow. */
export function createEventActivities({ ledger, db, eventsAt }: Deps) {
  const activities = {
    /**
     * Applies a batch of purchases or of loyalty transactions to the ledger, each once, in their order.
     * Safe to retry: every event has its permanent key, so an event that was applied is a duplicate the next time.
     * Throws: UNAVAILABLE or DEADLINE_EXCEEDED, both worth another try.
     */
    async applyEvents(input: EventBatchInput): Promise<EventBatchResult> {
      const source = { topic: input.topic, partition: input.partition, ...currentWorkflow() };
      const operations =
        input.kind === "loyalty"
          ? input.events.map((event) => loyaltyOperation(source, event))
          : input.events.map((event) => toPurchaseOperation(source, event));
      const posted = await postEach(ledger, operations);
      // Without a database there is no table of receipts.
      if (db !== undefined) await recordReceipts(db, receiptsOf(input, operations, posted));
      return summarize(input.events, posted);
    },

    /**
     * The same for a batch that is named by its place: its events are beside this process, or are read from Kafka again. Safe to retry, as `applyEvents`.
     * Throws: UNAVAILABLE or DEADLINE_EXCEEDED, both worth another try; EVENTS_REMOVED and EVENTS_CHANGED, which are final: nothing is applied.
     */
    async applyEventsAt(place: EventBatchPlace): Promise<EventBatchResult> {
      if (eventsAt === undefined) throw new DomainError("UNAVAILABLE", "this process finds no events by their place");
      return activities.applyEvents(await eventsAt(place));
    },
  };
  return activities;
}

type Posted = PostResult | { readonly outcome: "failed"; readonly message: string };

/** Posts all operations by one call. When Postgres refuses the content of one of them, posts each alone, so that only that one fails. */
async function postEach(ledger: Ledger, operations: readonly Operation[]): Promise<Posted[]> {
  try {
    return await ledger.postAll(operations);
  } catch (error) {
    if (!isContentRefused(error)) throw error;
  }
  const posted: Posted[] = [];
  for (const operation of operations) posted.push(await postAlone(ledger, operation));
  return posted;
}

async function postAlone(ledger: Ledger, operation: Operation): Promise<Posted> {
  try {
    return await ledger.post(operation);
  } catch (error) {
    if (!isContentRefused(error)) throw error;
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
  const position = firstPlaceOf(placed(source, event));
  return purchaseOperation({
    paymentMethod: event.paymentMethod,
    occurredAt: event.occurredAt,
    comment: toldPurchaseComment(event.username, event.paymentMethod, placeOf(position)),
    ...(event.serviceId === undefined ? {} : { serviceId: event.serviceId }),
    ...(event.orderId === undefined ? {} : { orderId: event.orderId }),
    ...commonOf(source, event, position),
  });
}

function loyaltyOperation(source: Source, event: LoyaltyEventItem): Operation {
  const words = event.comment ?? `${event.type} of points`;
  const position = firstPlaceOf(placed(source, event));
  return pointsOperation({
    type: event.type,
    occurredAt: event.occurredAt,
    comment: `${words}, event ${placeOf(position)}`,
    ...commonOf(source, event, position),
  });
}

function placed(
  { topic, partition }: { readonly topic: string; readonly partition: number },
  { offset, origin }: PurchaseEventItem | LoyaltyEventItem,
): PlacedMessage {
  return { topic, partition, offset, origin };
}

function placeOf({ topic, partition, offset }: MessagePosition): string {
  return `${topic}/${partition}/${offset}`;
}

function receiptsOf(input: EventBatchInput, operations: readonly Operation[], posted: readonly Posted[]): EventReceipt[] {
  return input.events.flatMap((event, index) => {
    const result = posted[index];
    const key = operations[index]?.key;
    if (result === undefined || key === undefined || (result.outcome !== "done" && result.outcome !== "refused")) return [];
    return receiptsOfOperation(placed(input, event), { key, ...result });
  });
}

function commonOf(source: Source, event: PurchaseEventItem | LoyaltyEventItem, position: MessagePosition) {
  return {
    key: eventKey(position, event.eventId),
    userId: event.userId,
    currency: event.currency,
    amountMinor: BigInt(event.amountMinor),
    origin: {
      caller: "kafka",
      correlationId: event.correlationId ?? placeOf(position),
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
