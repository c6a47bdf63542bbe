import { eventKey } from "../contract/ids.ts";
import { firstPlaceOf, receiptsOfWorkflow, type EventReceipt } from "../domain/events/receipts.ts";
import type { Chunk } from "./chunks.ts";
import type { EventTopic, RunResult } from "./event-topic.ts";

/** The receipts of a chunk's events that a workflow took: no operation tells of them by their place. */
export function receiptsOfChunk<Event extends object>(
  batch: { readonly topic: string; readonly partition: number },
  chunk: Chunk<Event>,
  { taken = [] }: RunResult,
  { effectOf }: Pick<EventTopic<Event>, "effectOf">,
): EventReceipt[] {
  const events = new Map(chunk.events.map((event) => [event.offset, event]));
  return taken.flatMap(({ offset, outcome }) => {
    const event = events.get(offset);
    if (event === undefined) return [];
    const message = { topic: batch.topic, partition: batch.partition, offset, origin: event.origin };
    const key = eventKey(firstPlaceOf(message), event.eventId);
    return receiptsOfWorkflow(message, { key, outcome, workflowId: effectOf?.(event).workflowId });
  });
}
