import type { FetchedMessage } from "../adapters/kafka/kafka-message.ts";
import type { MessageRange } from "../adapters/kafka/kafka-range.ts";
import type { Log } from "../adapters/log.ts";
import { DomainError } from "../base/errors.ts";
import type { EventBatchInput, EventBatchPlace } from "../contract/events.ts";
import { kafkaTopicOf } from "../contract/ids.ts";
import { batchAt, messagesSha256 } from "./batch-places.ts";
import { chunksOf, type Reader } from "./chunks.ts";
import type { EventShelf } from "./event-shelf.ts";
import { LEDGER_EVENT_READERS } from "./ledger-events.ts";
import { withRedrives, type PlacedBatch, type RedriveDeps } from "./redrives.ts";

export interface BatchReaderDeps {
  readonly shelf: Pick<EventShelf, "find">;
  /**
   * The messages of a range as a bridge reads them, in their order; "removed" when the topic or one of its ends is not there any more. Undefined
   * in a process without Kafka. Throws: the client's error.
   */
  readonly readRange?: (range: MessageRange) => Promise<readonly FetchedMessage[] | "removed">;
  readonly redrives: RedriveDeps;
  readonly log: Log;
}

/** Finds the events of a batch by its place. Throws: UNAVAILABLE, which may pass; EVENTS_REMOVED, EVENTS_CHANGED, which do not. */
export type BatchReader = (place: EventBatchPlace) => Promise<EventBatchInput>;

/**
 * A reader that has the events of this process's own batches beside it, and reads those of others from Kafka again: their process died, or had
 * no room for the workflow. What is read must be the messages that the batch was made of.
 */
export function createBatchReader(deps: BatchReaderDeps): BatchReader {
  return async (place) => {
    const beside = deps.shelf.find(place);
    if (beside !== undefined) return beside;
    if (deps.readRange === undefined)
      throw new DomainError("UNAVAILABLE", "this process has no Kafka (KAFKA_BROKERS), where the events of the batch are");
    const { topic: _topic, partition, firstOffset, lastOffset } = place;
    deps.log.info({ event: "events.reread", ...whereOf(place) }, "the events of a batch are read from Kafka again");
    const messages = await deps.readRange({
      topic: kafkaTopicOf(place.topic),
      incarnation: place.incarnation,
      partition,
      firstOffset,
      lastOffset,
    });
    if (messages === "removed" || messages[0]?.offset !== firstOffset || messages.at(-1)?.offset !== lastOffset)
      return refuse(deps.log, place, "EVENTS_REMOVED");
    if (messagesSha256(messages) !== place.sha256) return refuse(deps.log, place, "EVENTS_CHANGED");
    const events = await eventsOf(deps, place, messages);
    if (events.length !== place.count) return refuse(deps.log, place, "EVENTS_CHANGED");
    return batchAt(place, events);
  };
}

async function eventsOf({ redrives }: BatchReaderDeps, place: EventBatchPlace, messages: readonly FetchedMessage[]) {
  const { topic, partition, incarnation, lastOffset } = place;
  const fetched: PlacedBatch = { topic, partition, incarnation, messages, nextOffset: lastOffset };
  // Both branches alike: the type of the events must be the one that the kind's reader makes.
  return place.kind === "purchase"
    ? eventsOfKind(fetched, LEDGER_EVENT_READERS.purchase, redrives)
    : eventsOfKind(fetched, LEDGER_EVENT_READERS.loyalty, redrives);
}

async function eventsOfKind<Event extends object>(fetched: PlacedBatch, read: Reader<Event>, redrives: RedriveDeps) {
  const batch = await withRedrives(fetched, { read }, redrives);
  return chunksOf(batch, { maxMessages: Infinity }, read).flatMap(({ events }) => events);
}

function whereOf({ topic, partition, firstOffset, lastOffset, count }: EventBatchPlace) {
  return { topic, partition, firstOffset, lastOffset, count };
}

// The offset behind the batch is not committed: the partition's bridge reads on from there, and counts what was removed unread.
function refuse(log: Log, place: EventBatchPlace, code: "EVENTS_REMOVED" | "EVENTS_CHANGED"): never {
  const { topic, partition, firstOffset, lastOffset } = place;
  const error = new DomainError(code, `${topic}/${partition}, offsets ${firstOffset} to ${lastOffset}: ${WORDS[code]}`);
  log.error({ event: "events.lost-place", code, ...whereOf(place) }, error.message);
  throw error;
}

const WORDS = {
  EVENTS_REMOVED: "the messages are not in Kafka any more; this workflow books none of them",
  EVENTS_CHANGED: "other messages stand there now; this workflow books none of them",
} as const;
