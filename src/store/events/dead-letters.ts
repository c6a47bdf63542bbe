import { sql } from "drizzle-orm";
import type { ErrorCode } from "../../base/errors.ts";
import { eventKey, kafkaTopicOf } from "../../contract/ids.ts";
import type { Db } from "../postgres/database.ts";
import { TOOK_EFFECT } from "./dead-letter-list.ts";

/** A message that could not be taken, with its original bytes. `reason` holds no part of the content. */
export interface DeadLetter {
  /** The event's permanent key: a message that is delivered again is the same dead letter. */
  readonly identity: string;
  /** As `placeTopic` names it. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** How often the bridge tried to take the message. */
  readonly attempts: number;
  /** There when the message is a redrive: its refusal is counted at its dead letter instead of written as another one. */
  readonly redriveOf?: { readonly deadLetterId: string; readonly partition: number; readonly offset: string };
}

/** The copy for Kafka carries at most so many bytes of the original; the row has all of them. */
const MAX_COPY_BYTES = 1_500_000;

/**
 * Keeps messages as dead letters and puts their copies for `deadLetterTopic` into the outbox, in one statement: both are
 * there or none. The headers of a copy say topic, partition, offset, code and attempts; an original header of such a name
 * is kept as `original-<name>`. Returns how many dead letters were new.
 * The same content under the same identity is one dead letter, and its repeat at another place gets a receipt that names it; other
 * content under that identity is a dead letter under its own place.
 * Safe to retry: a repeat is no second dead letter, and the refusal of a redrive is counted once.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function writeDeadLetters(
  db: Db,
  input: { readonly deadLetterTopic: string; readonly letters: readonly DeadLetter[] },
): Promise<number> {
  const again = input.letters.filter(({ redriveOf }) => redriveOf !== undefined);
  if (again.length > 0) await countUp(db, again);
  const fresh = input.letters.filter(({ redriveOf }) => redriveOf === undefined);
  if (fresh.length === 0) return 0;
  const written = await insertLetters(db, input.deadLetterTopic, fresh);
  if (written.size === fresh.length) return written.size;
  const others = await noteRepeats(
    db,
    fresh.filter((letter) => !written.has(placeOf(letter))),
  );
  const apart = await insertLetters(db, input.deadLetterTopic, others.map(byPlace));
  return written.size + apart.size;
}

// Returns the places of the letters that were written: of several in a batch with one identity, the first.
async function insertLetters(db: Db, deadLetterTopic: string, letters: readonly DeadLetter[]): Promise<ReadonlySet<string>> {
  if (letters.length === 0) return new Set();
  const given = JSON.stringify(letters.map(asRecord));
  const rows = await db.execute<{ place: string }>(sql`
    with given as (
      select identity, topic, partition, "offset", code, reason, decode(key, 'base64') as raw_key, decode(value, 'base64') as raw_value,
             headers, "copyHeaders" as copy_headers, attempts
        from json_to_recordset(${given}::json) as g(identity text, topic text, partition integer, "offset" bigint, code text, reason text,
             key text, value text, headers jsonb, "copyHeaders" jsonb, attempts integer)
    ), written as (
      insert into dead_letters (identity, topic, partition, "offset", code, reason, raw_key, raw_value, headers, attempts)
      select identity, topic, partition, "offset", code, reason, raw_key, raw_value, headers, attempts from given order by identity collate "C", "offset"
      on conflict (identity) do nothing
      returning id, topic, partition, "offset"
    )
    insert into outbox (aggregate_type, aggregate_id, topic, raw_key, raw_value, headers)
    select 'dead_letter', w.id::text, ${deadLetterTopic}, g.raw_key, substring(g.raw_value from 1 for ${MAX_COPY_BYTES}::integer),
           g.copy_headers || jsonb_build_object('dead-letter-id', w.id::text)
      from written w join given g on g.topic = w.topic and g.partition = w.partition and g."offset" = w."offset"
     order by w.id
    returning (select concat(w.partition, '/', w."offset") from written w where w.id::text = aggregate_id) as place`);
  return new Set([...rows].map(({ place }) => place));
}

// Writes receipts for letters whose content is that of the dead letter under their identity, and returns the letters with other content. A
// letter that is that dead letter itself gets no receipt and is not returned.
async function noteRepeats(db: Db, letters: readonly DeadLetter[]): Promise<DeadLetter[]> {
  const given = JSON.stringify(
    letters.map(({ identity, topic, partition, offset, value }) => ({
      identity,
      topic,
      partition,
      offset,
      value: value?.toString("base64"),
    })),
  );
  const rows = await db.execute<{ partition: number; offset: string }>(sql`
    with given as (
      select g.*, d.id as standing, d.code as standing_code, d.raw_value is not distinct from decode(g.value, 'base64') as is_same
        from json_to_recordset(${given}::json) as g(identity text, topic text, partition integer, "offset" bigint, value text)
        join dead_letters d on d.identity = g.identity
       where (d.topic, d.partition, d."offset") <> (g.topic, g.partition, g."offset")
    ), noted as (
      insert into event_receipts (topic, partition, "offset", identity, outcome, dead_letter_id, code)
      select topic, partition, "offset", identity, 'dead-lettered', standing, standing_code from given where is_same
      on conflict do nothing
    )
    select partition, "offset" from given where not is_same`);
  const others = new Set([...rows].map(placeOf));
  return letters.filter((letter) => others.has(placeOf(letter)));
}

function placeOf({ partition, offset }: { readonly partition: number; readonly offset: string }): string {
  return `${partition}/${offset}`;
}

function byPlace(letter: DeadLetter): DeadLetter {
  return { ...letter, identity: eventKey(letter, undefined) };
}

function asRecord({ key, value, ...letter }: DeadLetter) {
  return { ...letter, key: key?.toString("base64"), value: value?.toString("base64"), copyHeaders: copyHeaders(letter) };
}

// The receipt at the redrive's own place makes its repeat count once. A dead letter that took effect by another correction keeps its code.
async function countUp(db: Db, letters: readonly DeadLetter[]): Promise<void> {
  const given = JSON.stringify(
    letters.map(({ identity, topic, code, reason, redriveOf }) => ({ identity, topic, code, reason, ...redriveOf })),
  );
  await db.execute(sql`
    with given as (
      select * from json_to_recordset(${given}::json) as g(identity text, topic text, code text, reason text, "deadLetterId" bigint,
             partition integer, "offset" bigint)
    ), noted as (
      insert into event_receipts (topic, partition, "offset", identity, outcome, dead_letter_id, code)
      select topic, partition, "offset", identity, 'dead-lettered', "deadLetterId", code from given
      on conflict do nothing
      returning topic, partition, "offset"
    ), refused as (
      select g."deadLetterId" as id, count(*) as times, (array_agg(g.code order by g."offset" desc))[1] as code,
             (array_agg(g.reason order by g."offset" desc))[1] as reason
        from given g join noted n on n.topic = g.topic and n.partition = g.partition and n."offset" = g."offset"
       group by g."deadLetterId"
    ), judged as (
      select r.*, ${TOOK_EFFECT} as done from refused r join dead_letters d on d.id = r.id
    )
    update dead_letters d
       set attempts = d.attempts + j.times, refused_again_at = clock_timestamp(),
           code = case when j.done then d.code else j.code end, reason = case when j.done then d.reason else j.reason end
      from judged j
     where d.id = j.id`);
}

function copyHeaders(letter: Omit<DeadLetter, "key" | "value" | "redriveOf">): Record<string, string> {
  const own = {
    topic: kafkaTopicOf(letter.topic),
    partition: String(letter.partition),
    offset: letter.offset,
    code: letter.code,
    reason: letter.reason,
    attempts: String(letter.attempts),
  };
  const originals: Record<string, string> = {};
  for (const [name, value] of Object.entries(letter.headers)) {
    originals[Object.hasOwn(own, name) || name === "dead-letter-id" ? `original-${name}` : name] = value;
  }
  return { ...originals, ...own };
}
