import type { EventBatchInput, EventBatchResult, LoyaltyEventItem, PurchaseEventItem } from "../contract/events.ts";
import { deadLetterTopic } from "../contract/topics.ts";
import { readLoyaltyEvent } from "../events/loyalty-event.ts";
import { readPurchaseEvent } from "../events/purchase-event.ts";
import type { Starters } from "../starters/index.ts";
import type { EventTopic, RunResult } from "./event-topic.ts";

type Own<Item> = Omit<Item, "offset" | "correlationId">;
type Batches = Pick<Starters, "runEventBatch">;

/** The topic of purchases that were made elsewhere. Each run of events is one `eventBatch` workflow. */
export function purchaseTopic(topic: string, starters: Batches): EventTopic<Own<PurchaseEventItem>> {
  return {
    topic,
    deadLetterTopic: deadLetterTopic(topic),
    read(value, timestampMs) {
      const reading = readPurchaseEvent(value, timestampMs);
      return reading.ok ? { ok: true, event: inMinorText(reading.event) } : reading;
    },
    apply: (run, signal) => runBatch(starters, run, signal),
  };
}

/** The topic of loyalty points. Each run of events is one `eventBatch` workflow. */
export function loyaltyTopic(topic: string, starters: Batches): EventTopic<Own<LoyaltyEventItem>> {
  return {
    topic,
    deadLetterTopic: deadLetterTopic(topic),
    read(value, timestampMs) {
      const reading = readLoyaltyEvent(value, timestampMs);
      return reading.ok ? { ok: true, event: inMinorText(reading.event) } : reading;
    },
    apply: (run, signal) => runBatch(starters, { ...run, kind: "loyalty" }, signal),
  };
}

function inMinorText<Event extends { readonly amountMinor: bigint }>(event: Event) {
  return { ...event, amountMinor: event.amountMinor.toString() };
}

async function runBatch(starters: Batches, batch: EventBatchInput, signal: AbortSignal): Promise<RunResult> {
  return resultOf(await starters.runEventBatch(batch, signal));
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
