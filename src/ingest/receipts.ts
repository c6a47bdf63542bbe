import { eventKey } from "../contract/ids.ts";
import type { EventReceipt } from "../store/events/receipts.ts";
import type { Chunk } from "./chunks.ts";
import type { EventTopic, RunResult } from "./event-topic.ts";

/** The receipts of a chunk's events that a workflow took and no operation tells of by its place. */
export function receiptsOf<Event extends object>(
  batch: { readonly topic: string; readonly partition: number },
  chunk: Chunk<Event>,
  { taken = [] }: RunResult,
  { effectOf }: Pick<EventTopic<Event>, "effectOf">,
): EventReceipt[] {
  if (taken.length === 0) return [];
  const events = new Map(chunk.events.map((event) => [event.offset, event]));
  return taken.flatMap(({ offset, outcome }): EventReceipt[] => {
    const event = events.get(offset);
    if (event === undefined) return [];
    const own = { topic: batch.topic, partition: batch.partition, offset };
    const first = { ...own, ...event.origin };
    const workflowId = effectOf?.(event).workflowId;
    const receipt = {
      identity: eventKey(first, event.eventId),
      outcome: outcome === "applied" ? ("started" as const) : outcome,
      ...(workflowId === undefined ? {} : { workflowId }),
    };
    return [{ position: own, ...receipt }, ...(event.origin === undefined ? [] : [{ position: first, ...receipt }])];
  });
}
