import { createHash } from "node:crypto";
import type { FetchedBatch } from "../adapters/kafka/kafka-consumer.ts";
import type { FetchedMessage } from "../adapters/kafka/kafka-message.ts";
import { DomainError } from "../base/errors.ts";
import { eventKey, kafkaTopicOf, type MessagePosition } from "../contract/ids.ts";
import type { EventReading } from "../events/event-reading.ts";
import type { KnownLetter, RedriveClaim, WantedEffect } from "../store/events/redrives.ts";
import type { EventTopic } from "./event-topic.ts";
import { fieldWithCard } from "./fields-with-card.ts";
import { headerText } from "./message-headers.ts";

/** The header of a redrive that names its dead letter. */
const HEADER = "redrive-of";
const DEAD_LETTER_ID = /^[1-9]\d{0,17}$/;

/** What a redrive, which is a dead letter that Saldo sent again, is bound to. */
export interface FoundRedrive {
  readonly deadLetterId: string;
  /** The permanent key that the event has or must have. Undefined while the dead letter has none and no id of its own could be read. */
  readonly effectKey: string | undefined;
  /** The place where the dead letter first stood. */
  readonly origin: MessagePosition;
  /** True when the message would start or tell another workflow than its dead letter is bound to. */
  readonly isOther?: boolean;
}

/** A fetched message; `redriveOf` is there when it is a redrive. */
export interface MarkedMessage extends FetchedMessage {
  readonly redriveOf?: FoundRedrive;
}

/** A fetched batch whose topic is called as `placeTopic` does. */
export type PlacedBatch = FetchedBatch;

/** A placed batch whose redrives are marked. */
export interface MarkedBatch extends PlacedBatch {
  readonly messages: readonly MarkedMessage[];
}

type Reader<Event> = Pick<EventTopic<Event>, "read" | "effectOf">;

export interface RedriveDeps {
  /** The dead letters of a topic, whichever of its name, that the claims name, by the dead letter's id and the hash of the claiming message's value. */
  readonly find: (topic: string, claims: readonly RedriveClaim[]) => Promise<ReadonlyMap<string, KnownLetter>>;
  /** Binds each dead letter to the effect of its first correction, for ever, and returns the bound effects. A correction without an effect binds nothing. */
  readonly bind: (wanted: readonly WantedEffect[]) => Promise<ReadonlyMap<string, string>>;
}

/**
 * Marks the messages of a batch that are redrives. A redrive keeps the identity of its dead letter's first place, and of several corrections
 * of one dead letter only those pass that have the effect of the first. A `redrive-of` header that Saldo did not send is ignored.
 * Throws: what `find` and `bind` throw.
 */
export async function withRedrives<Event extends object>(
  batch: PlacedBatch,
  reader: Reader<Event>,
  { find, bind }: RedriveDeps,
): Promise<MarkedBatch> {
  const claims = new Map(batch.messages.flatMap((message) => claimOf(message) ?? []));
  if (claims.size === 0) return batch;
  const letters = await find(kafkaTopicOf(batch.topic), [...claims.values()]);
  const redrives = new Map(
    batch.messages.flatMap((message) => {
      const claim = claims.get(message.offset);
      const letter = claim === undefined ? undefined : letters.get(`${claim.deadLetterId} ${claim.valueSha256}`);
      if (letter === undefined) return [];
      return [[message.offset, { letter, wish: wishOfMessage(letter, reader, message) }] as const];
    }),
  );
  const open = [...redrives.values()].flatMap(({ letter, wish }) => (letter.effectKey === undefined ? (wish.wanted ?? []) : []));
  const bound: ReadonlyMap<string, string> = open.length === 0 ? new Map() : await bind(open);
  return {
    ...batch,
    messages: batch.messages.map((message) => {
      const redrive = redrives.get(message.offset);
      return redrive === undefined ? message : { ...message, redriveOf: redriveOf(redrive.letter, redrive.wish, bound, reader) };
    }),
  };
}

/** A corrected value for a dead letter of a topic. */
export interface Correction {
  readonly deadLetterId: string;
  readonly topic: string;
  readonly value: Buffer;
}

/**
 * Refuses a correction that the bridge would refuse: a value that is no event of the topic, or that would give the dead letter another
 * identity or effect than it has. A correction that passes may still lose against another correction that is on its way.
 * Throws: INVALID_EVENT, CARD_DATA_REFUSED, REDRIVE_CONFLICT, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function checkCorrection<Event extends object>(
  { deadLetterId, topic, value }: Correction,
  reader: Reader<Event>,
  deps: { readonly findLetter: (topic: string, deadLetterId: string) => Promise<KnownLetter | undefined>; readonly nowMs: () => number },
): Promise<void> {
  const reading = reader.read(value, deps.nowMs());
  if (!reading.ok) throw new DomainError("INVALID_EVENT", `${reading.code}: ${reading.reason}`, { pointer: "/body" });
  const field = fieldWithCard(reading.event);
  if (field !== undefined) throw new DomainError("CARD_DATA_REFUSED", undefined, { pointer: `/body/${field}` });
  const letter = await deps.findLetter(topic, deadLetterId);
  if (letter === undefined) return;
  const wish = wishOf(letter, reader, reading);
  const isOther = wish.isOther || (letter.effectKey !== undefined && wish.wanted?.key !== letter.effectKey);
  if (isOther) throw new DomainError("REDRIVE_CONFLICT", undefined, { pointer: "/body" });
}

interface Wish {
  /** The effect that the message would have; undefined when it is no event. */
  readonly wanted: WantedEffect | undefined;
  /** True when the message names another event id than the dead letter's own. */
  readonly isOther: boolean;
}

function wishOfMessage<Event extends object>(letter: KnownLetter, reader: Reader<Event>, message: FetchedMessage): Wish {
  if (message.headersLeftOut > 0) return { wanted: undefined, isOther: false };
  return wishOf(letter, reader, reader.read(message.value, message.timestampMs));
}

function wishOf<Event extends object>(letter: KnownLetter, reader: Reader<Event>, reading: EventReading<Event>): Wish {
  // A message that the bridge will refuse has no effect.
  if (!reading.ok || fieldWithCard(reading.event) !== undefined) return { wanted: undefined, isOther: false };
  const { deadLetterId, origin, ownKey } = letter;
  const { eventId }: { readonly eventId?: string } = reading.event;
  const named = eventId === undefined ? undefined : eventKey(origin, eventId);
  const isOther = ownKey !== undefined && named !== undefined && named !== ownKey;
  if (isOther) return { wanted: undefined, isOther };
  const effect = reader.effectOf?.(reading.event);
  if (effect !== undefined)
    return { wanted: { deadLetterId, key: effect.workflowId, kind: effect.kind, subjectId: effect.subjectId }, isOther };
  // A correction without an event id has the dead letter's identity.
  const key = named ?? ownKey ?? letter.effectKey ?? eventKey(origin, undefined);
  return { wanted: { deadLetterId, key, kind: "operation", subjectId: "" }, isOther };
}

function redriveOf<Event>(letter: KnownLetter, wish: Wish, bound: ReadonlyMap<string, string>, reader: Reader<Event>): FoundRedrive {
  const { deadLetterId, origin, ownKey } = letter;
  const effectKey = letter.effectKey ?? bound.get(deadLetterId);
  if (reader.effectOf === undefined) return { deadLetterId, origin, effectKey: ownKey ?? effectKey };
  const isOther = wish.wanted !== undefined && effectKey !== undefined && wish.wanted.key !== effectKey;
  return { deadLetterId, origin, effectKey: ownKey, isOther };
}

function claimOf(message: FetchedMessage): [string, RedriveClaim][] | undefined {
  const deadLetterId = headerText(message.headers, HEADER);
  if (!DEAD_LETTER_ID.test(deadLetterId)) return undefined;
  const valueSha256 = createHash("sha256")
    .update(message.value ?? "")
    .digest("hex");
  return [[message.offset, { deadLetterId, valueSha256 }]];
}
