import type { FetchedBatch, FetchedMessage } from "../adapters/kafka-consumer.ts";
import type { PurchaseEventItem } from "../contract/events.ts";
import { eventKey } from "../contract/ids.ts";
import { MAX_MESSAGE_HEADERS } from "../contract/topics.ts";
import { readPurchaseEvent } from "../events/purchase-event.ts";
import type { DeadLetter } from "../store/dead-letters.ts";
import { correlationIdOf, readableHeaders } from "./message-headers.ts";

/** A run of messages that is done together: what is valid as one workflow, the rest as dead letters, then one commit. */
export interface Chunk {
  readonly firstOffset: string;
  readonly lastOffset: string;
  /** What is committed when the chunk is done. */
  readonly nextOffset: string;
  readonly events: readonly PurchaseEventItem[];
  readonly letters: readonly DeadLetter[];
  readonly messages: readonly FetchedMessage[];
}

export interface ChunkLimits {
  readonly maxMessages: number;
  /** Of the events as JSON: a workflow's input must stay below 256 KB. */
  readonly maxBytes: number;
}

/** Cuts a batch into chunks, in its order. Reads each message once, and never throws on content. */
export function* chunksOf(batch: FetchedBatch, limits: ChunkLimits): Generator<Chunk> {
  let chunk = emptyChunk();
  const finished = (nextOffset: string): Chunk => ({
    firstOffset: chunk.messages[0]?.offset ?? nextOffset,
    lastOffset: chunk.messages.at(-1)?.offset ?? nextOffset,
    nextOffset,
    ...chunk,
  });
  for (const message of batch.messages) {
    const reading = readMessage(batch, message);
    const bytes = "event" in reading ? Buffer.byteLength(JSON.stringify(reading.event)) + 1 : 0;
    if (chunk.messages.length >= limits.maxMessages || (chunk.messages.length > 0 && chunk.bytes + bytes > limits.maxBytes)) {
      yield finished(message.offset);
      chunk = emptyChunk();
    }
    chunk.messages.push(message);
    chunk.bytes += bytes;
    if ("event" in reading) chunk.events.push(reading.event);
    else chunk.letters.push(reading.letter);
  }
  if (chunk.messages.length > 0) yield finished(batch.nextOffset);
}

/** A message as a dead letter. `identity` is its permanent key: its own id where that could be read, else its place. */
export function toDeadLetter(
  place: { topic: string; partition: number },
  message: FetchedMessage,
  why: Pick<DeadLetter, "identity" | "code" | "reason">,
): DeadLetter {
  return {
    ...why,
    topic: place.topic,
    partition: place.partition,
    offset: message.offset,
    key: message.key,
    value: message.value,
    headers: readableHeaders(message.headers, message.headersLeftOut),
    attempts: 1,
  };
}

function emptyChunk(): { events: PurchaseEventItem[]; letters: DeadLetter[]; messages: FetchedMessage[]; bytes: number } {
  return { events: [], letters: [], messages: [], bytes: 0 };
}

function readMessage(
  batch: FetchedBatch,
  message: FetchedMessage,
): { readonly event: PurchaseEventItem } | { readonly letter: DeadLetter } {
  const position = { topic: batch.topic, partition: batch.partition, offset: message.offset };
  const reading = readPurchaseEvent(message.value, message.timestampMs);
  if (!reading.ok) {
    const identity = eventKey(position, reading.eventId);
    return { letter: toDeadLetter(position, message, { identity, code: reading.code, reason: reading.reason }) };
  }
  const { amountMinor, ...event } = reading.event;
  if (message.headersLeftOut > 0) {
    const why = { code: "INVALID_EVENT", reason: `the message has more than ${MAX_MESSAGE_HEADERS} headers` } as const;
    return { letter: toDeadLetter(position, message, { identity: eventKey(position, event.eventId), ...why }) };
  }
  const correlationId = correlationIdOf(message.headers);
  return {
    event: {
      offset: message.offset,
      ...event,
      amountMinor: amountMinor.toString(),
      ...(correlationId === undefined ? {} : { correlationId }),
    },
  };
}
