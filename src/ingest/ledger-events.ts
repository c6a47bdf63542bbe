import type { EventBatchPlace, EventBatchResult, LoyaltyEventItem, PurchaseEventItem } from "../contract/events.ts";
import { deadLetterTopic } from "../contract/topics.ts";
import type { EventReading } from "../events/event-reading.ts";
import { readLoyaltyEvent } from "../events/loyalty-event.ts";
import { readPurchaseEvent } from "../events/purchase-event.ts";
import type { Starters } from "../starters/index.ts";
import { batchAt, placeOfRun } from "./batch-places.ts";
import type { EventShelf } from "./event-shelf.ts";
import type { EventRun, EventTopic, RunResult } from "./event-topic.ts";

type Own<Item> = Omit<Item, "offset" | "correlationId">;

/** How the events of a topic take effect: each run of events is one `eventBatch` workflow. */
export interface LedgerEventDeps {
  readonly starters: Pick<Starters, "runEventBatch">;
  /**
   * Where this process runs workflows itself: a run's events are put there, and its workflow carries their place alone. Without it the workflow
   * carries the events.
   */
  readonly shelf?: EventShelf;
}

/** Reads a message's value as an event of one kind, as the ledger's batches carry it. */
export const LEDGER_EVENT_READERS = {
  purchase: (value: Buffer | null, timestampMs: number): EventReading<Own<PurchaseEventItem>> =>
    inMinorText(readPurchaseEvent(value, timestampMs)),
  loyalty: (value: Buffer | null, timestampMs: number): EventReading<Own<LoyaltyEventItem>> =>
    inMinorText(readLoyaltyEvent(value, timestampMs)),
} as const;

/** The topic of purchases that were made elsewhere. */
export function purchaseTopic(topic: string, deps: LedgerEventDeps): EventTopic<Own<PurchaseEventItem>> {
  return {
    topic,
    deadLetterTopic: deadLetterTopic(topic),
    read: LEDGER_EVENT_READERS.purchase,
    apply: (run, signal) => runBatch(deps, "purchase", run, signal),
  };
}

/** The topic of loyalty points. */
export function loyaltyTopic(topic: string, deps: LedgerEventDeps): EventTopic<Own<LoyaltyEventItem>> {
  return {
    topic,
    deadLetterTopic: deadLetterTopic(topic),
    read: LEDGER_EVENT_READERS.loyalty,
    apply: (run, signal) => runBatch(deps, "loyalty", run, signal),
  };
}

function inMinorText<Event extends { readonly amountMinor: bigint }>(reading: EventReading<Event>) {
  return reading.ok ? ({ ok: true, event: { ...reading.event, amountMinor: reading.event.amountMinor.toString() } } as const) : reading;
}

async function runBatch(
  { starters, shelf }: LedgerEventDeps,
  kind: EventBatchPlace["kind"],
  run: EventRun<Own<PurchaseEventItem>> | EventRun<Own<LoyaltyEventItem>>,
  signal: AbortSignal,
): Promise<RunResult> {
  const batch = batchAt({ kind, ...run }, run.events);
  if (shelf === undefined) return resultOf(await starters.runEventBatch(batch, signal));
  const place = placeOfRun(kind, run);
  const takeAway = shelf.put(place, batch);
  try {
    return resultOf(await starters.runEventBatch(place, signal));
  } finally {
    takeAway();
  }
}

function resultOf({ applied, duplicates, refused, conflicts, failures }: EventBatchResult): RunResult {
  return {
    applied,
    duplicates,
    refused,
    rejected: [
      ...conflicts.map((conflict) => ({ ...conflict, code: "CONFLICT" as const })),
      ...failures.map((failure) => ({ ...failure, code: "INTERNAL" as const })),
    ],
  };
}
