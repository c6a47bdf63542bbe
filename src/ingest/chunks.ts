import type { ErrorCode } from "../base/errors.ts";
import { eventKey, kafkaTopicOf } from "../contract/ids.ts";
import { MAX_MESSAGE_HEADERS } from "../contract/topics.ts";
import type { DeadLetter } from "../store/events/dead-letters.ts";
import type { Carried, EventTopic } from "./event-topic.ts";
import { fieldWithCard } from "./fields-with-card.ts";
import { correlationIdOf, readableHeaders } from "./message-headers.ts";
import type { MarkedBatch, MarkedMessage } from "./redrives.ts";

/** A run of messages that is handled together: the valid events take effect, the other messages become dead letters, then one commit. */
export interface Chunk<Event> {
  readonly firstOffset: string;
  readonly lastOffset: string;
  /** The offset that is committed when the chunk is done. */
  readonly nextOffset: string;
  readonly events: readonly Carried<Event>[];
  readonly letters: readonly DeadLetter[];
  readonly messages: readonly MarkedMessage[];
}

export interface ChunkLimits {
  readonly maxMessages: number;
  /** The size of a chunk's events as JSON, where they are a workflow's input, which must stay below 256 KB. Without it their size does not matter. */
  readonly maxBytes?: number;
}

export type Reader<Event> = EventTopic<Event>["read"];

/** Cuts the messages of one batch into chunks, in their order. */
export interface ChunkCutter<Event> {
  /** Reads a message, once, and never throws on content. Returns the chunk that ends before it, where one does. */
  add(message: MarkedMessage): Chunk<Event> | undefined;
  /** The chunk of the messages that are left, up to the batch's end; undefined when none are, as when it was asked before. */
  last(): Chunk<Event> | undefined;
}

/** A cutter of `batch`, whose messages are then added one by one. */
export function createChunkCutter<Event extends object>(batch: MarkedBatch, limits: ChunkLimits, read: Reader<Event>): ChunkCutter<Event> {
  const { maxMessages, maxBytes = Infinity } = limits;
  let chunk = emptyChunk<Event>();
  const finished = (nextOffset: string): Chunk<Event> => ({
    firstOffset: chunk.messages[0]?.offset ?? nextOffset,
    lastOffset: chunk.messages.at(-1)?.offset ?? nextOffset,
    nextOffset,
    ...chunk,
  });
  return {
    add(message) {
      const reading = readMessage(batch, message, read);
      const bytes = "event" in reading && maxBytes < Infinity ? Buffer.byteLength(JSON.stringify(reading.event)) + 1 : 0;
      const isFull = chunk.messages.length >= maxMessages || (chunk.messages.length > 0 && chunk.bytes + bytes > maxBytes);
      const full = isFull ? finished(message.offset) : undefined;
      if (isFull) chunk = emptyChunk();
      chunk.messages.push(message);
      chunk.bytes += bytes;
      if ("event" in reading) chunk.events.push(reading.event);
      else chunk.letters.push(reading.letter);
      return full;
    },
    last() {
      if (chunk.messages.length === 0) return undefined;
      const left = finished(batch.nextOffset);
      chunk = emptyChunk();
      return left;
    },
  };
}

/** All chunks of a batch at once. */
export function chunksOf<Event extends object>(batch: MarkedBatch, limits: ChunkLimits, read: Reader<Event>): Chunk<Event>[] {
  const cutter = createChunkCutter(batch, limits, read);
  const full = batch.messages.flatMap((message) => cutter.add(message) ?? []);
  return [...full, cutter.last()].filter((chunk) => chunk !== undefined);
}

/** A message as a dead letter. `identity` is its permanent key: made of the event's own id where that could be read, else of the message's place. */
export function toDeadLetter(
  place: { topic: string; partition: number },
  message: MarkedMessage,
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
    ...(message.redriveOf === undefined
      ? {}
      : { redriveOf: { deadLetterId: message.redriveOf.deadLetterId, partition: place.partition, offset: message.offset } }),
  };
}

function emptyChunk<Event>(): { events: Carried<Event>[]; letters: DeadLetter[]; messages: MarkedMessage[]; bytes: number } {
  return { events: [], letters: [], messages: [], bytes: 0 };
}

// A corrected event without an id keeps the event id that its dead letter is identified by.
function withIdOf<Event extends object>(effectKey: string | undefined, topic: string, event: Event & { readonly eventId?: string }) {
  if (effectKey === undefined || event.eventId !== undefined) return event;
  const byId = `event:${kafkaTopicOf(topic)}#`;
  return effectKey.startsWith(byId) ? { ...event, eventId: effectKey.slice(byId.length) } : event;
}

function readMessage<Event extends object>(
  batch: MarkedBatch,
  message: MarkedMessage,
  read: Reader<Event>,
): { readonly event: Carried<Event> } | { readonly letter: DeadLetter } {
  const position = { topic: batch.topic, partition: batch.partition, offset: message.offset };
  const first = message.redriveOf?.origin ?? position;
  const letter = (code: ErrorCode, reason: string, eventId: string | undefined) => ({
    letter: toDeadLetter(position, message, { identity: eventKey(first, eventId), code, reason }),
  });
  const reading = read(message.value, message.timestampMs);
  if (!reading.ok) return letter(reading.code, reading.reason, reading.eventId);
  const effectKey = message.redriveOf?.effectKey;
  const event: Event & { readonly eventId?: string } = withIdOf(effectKey, batch.topic, reading.event);
  // Every correction of one dead letter must have the same effect.
  if (message.redriveOf?.isOther === true || (effectKey !== undefined && eventKey(first, event.eventId) !== effectKey))
    return letter("CONFLICT", "the dead letter is another event, or was sent again as another one before", event.eventId);
  if (message.headersLeftOut > 0) return letter("INVALID_EVENT", `the message has more than ${MAX_MESSAGE_HEADERS} headers`, event.eventId);
  const field = fieldWithCard(event);
  if (field !== undefined) return letter("CARD_DATA_REFUSED", `${field}: holds what looks like a card number`, event.eventId);
  const correlationId = correlationIdOf(message.headers);
  const { topic, ...place } = first;
  const origin = message.redriveOf === undefined ? {} : { origin: topic === batch.topic ? place : first };
  return { event: { offset: message.offset, ...event, ...origin, ...(correlationId === undefined ? {} : { correlationId }) } };
}
