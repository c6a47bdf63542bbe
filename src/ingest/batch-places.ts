import { createHash } from "node:crypto";
import type { EventBatchInput, EventBatchPlace, LoyaltyEventItem, PurchaseEventItem } from "../contract/events.ts";
import type { EventRun } from "./event-topic.ts";

/** The run's place, by which its events are found again. */
export function placeOfRun(kind: EventBatchPlace["kind"], run: EventRun<object>): EventBatchPlace {
  const { topic, partition, firstOffset, lastOffset, incarnation, events, messages } = run;
  return { kind, topic, partition, firstOffset, lastOffset, incarnation, count: events.length, sha256: messagesSha256(messages) };
}

/** SHA-256 of the messages' offsets and values, in their order. */
export function messagesSha256(messages: EventRun<object>["messages"]): string {
  const hash = createHash("sha256");
  for (const { offset, value } of messages) {
    hash.update(`${offset}:${value === null ? "-" : value.length};`);
    if (value !== null) hash.update(value);
  }
  return hash.digest("hex");
}

/** The batch of a place with its events. The events are of the place's kind. */
export function batchAt(
  { kind, topic, partition, firstOffset, lastOffset }: Omit<EventBatchPlace, "incarnation" | "count" | "sha256">,
  events: readonly (PurchaseEventItem | LoyaltyEventItem)[],
): EventBatchInput {
  return { kind, topic, partition, firstOffset, lastOffset, events } as EventBatchInput;
}
