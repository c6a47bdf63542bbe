import type { EventBatchInput, EventBatchPlace } from "../contract/events.ts";
import { eventBatchWorkflowId } from "../contract/ids.ts";

/** The events of the batches that this process has in hand. Their workflows carry their places alone, and run in this process where they can. */
export interface EventShelf {
  /** Keeps the events of a batch until the returned function is called. */
  put(place: EventBatchPlace, events: EventBatchInput): () => void;
  /** The events of a batch; undefined when another process has them, or none. */
  find(place: EventBatchPlace): EventBatchInput | undefined;
}

/** An empty shelf. It holds no more than the bridge's partitions have in hand. */
export function createEventShelf(): EventShelf {
  const batches = new Map<string, EventBatchInput>();
  return {
    put(place, events) {
      const key = keyOf(place);
      batches.set(key, events);
      return () => {
        // The same batch may have been put again meanwhile.
        if (batches.get(key) === events) batches.delete(key);
      };
    },
    find: (place) => batches.get(keyOf(place)),
  };
}

function keyOf(place: EventBatchPlace): string {
  return `${eventBatchWorkflowId(place)} ${place.count} ${place.sha256}`;
}
