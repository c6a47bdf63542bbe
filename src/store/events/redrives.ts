import { sql, type SQL } from "drizzle-orm";
import type { MessagePosition } from "../../contract/ids.ts";
import type { Db } from "../postgres/database.ts";
import { matching, type DeadLetterFilter } from "./dead-letter-list.ts";

/** Who sends dead letters again and why. */
export interface RedriveAct {
  readonly actor: string;
  readonly reason: string;
  readonly correlationId: string;
}

/** A redrive must fit into the broker's 1 MiB with its headers. */
export const MAX_REDRIVE_BYTES = 900_000;
/** An event may have 64 headers, and the redrive adds its own. */
const MAX_HEADERS = 60;

/**
 * Sends one dead letter again to the topic it came from, verbatim or with a corrected value; returns whether it exists. The message
 * leaves by the outbox and names its dead letter, so that it keeps its identity: an effect that did happen is not doubled.
 * Not safe to retry: each call sends a message of its own. All of them have one effect together.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function redriveDeadLetter(
  db: Db,
  input: RedriveAct & { readonly deadLetterId: string; readonly body?: string },
): Promise<boolean> {
  const chosen = sql`select * from dead_letters where id = ${input.deadLetterId}::bigint`;
  return (await redrive(db, { ...input, chosen })).length === 1;
}

/**
 * Sends the oldest dead letters again that match and never were, those aside that are too large for it. Answers their ids. Choosing and marking are
 * one statement under the rows' locks, so calls at the same time send each dead letter once, and each call those that no other has taken.
 * Throws as `redriveDeadLetter`.
 */
export async function redriveMatching(
  db: Db,
  input: RedriveAct & { readonly filter: DeadLetterFilter; readonly limit: number },
): Promise<string[]> {
  const chosen = sql`
    select * from dead_letters
     where ${matching({ ...input.filter, redriven: false })}
       and coalesce(octet_length(raw_value), 0) + coalesce(octet_length(raw_key), 0) <= ${MAX_REDRIVE_BYTES}::integer
     order by id limit ${input.limit}::integer
       for update skip locked`;
  return await redrive(db, { ...input, chosen });
}

async function redrive(db: Db, input: RedriveAct & { readonly chosen: SQL; readonly body?: string }): Promise<string[]> {
  const corrected = input.body !== undefined;
  const value = corrected ? sql`decode(${Buffer.from(input.body).toString("base64")}, 'base64')` : sql`raw_value`;
  const rows = await db.execute<{ id: string }>(sql`
    with chosen as (${input.chosen}),
    letters as (select id, topic, raw_key, ${value} as value, headers from chosen),
    noted as (
      insert into dead_letter_redrives (dead_letter_id, value_sha256, corrected, actor, reason, correlation_id)
      select id, encode(sha256(coalesce(value, ''::bytea)), 'hex'), ${corrected}::boolean, ${input.actor}, ${input.reason}, ${input.correlationId} from letters
    ), sent as (
      insert into outbox (aggregate_type, aggregate_id, topic, raw_key, raw_value, headers)
      select 'redrive', id::text, split_part(topic, '~', 1), raw_key, value,
             (select coalesce(jsonb_object_agg(h.key, h.value), '{}'::jsonb)
                from (select * from jsonb_each(headers) where key not in ('redrive-of', 'headers-left-out') limit ${MAX_HEADERS}::integer) h)
             || jsonb_build_object('redrive-of', id::text)
        from letters order by id
    )
    update dead_letters d set redriven_at = clock_timestamp(), redriven_by = ${input.actor}
      from letters l where d.id = l.id
    returning d.id`);
  return [...rows].map(({ id }) => id);
}

/** What a message with a `redrive-of` header claims: to be that dead letter, sent again with this value. `valueSha256` is hex. */
export interface RedriveClaim {
  readonly deadLetterId: string;
  readonly valueSha256: string;
}

/** What is known of the dead letter behind a redrive. */
export interface KnownLetter {
  readonly deadLetterId: string;
  /** The place where the dead letter first stood. */
  readonly origin: MessagePosition;
  /** The permanent key made of the event's own id; undefined when no id could be read. */
  readonly ownKey: string | undefined;
  /** The effect it is bound to for ever: the key of the operation or the id of the workflow that it became, or that its first valid correction named. */
  readonly effectKey: string | undefined;
}

/** The effect that a redrive asks for. `key` is an operation's key or a workflow's id; `subjectId` is the order's id for the kinds `order` and `reply`. */
export interface WantedEffect {
  readonly deadLetterId: string;
  readonly key: string;
  readonly kind: "operation" | "order" | "command" | "reply";
  readonly subjectId: string;
}

const KNOWN = sql`d.id, d.topic, d.partition, d."offset",
  case when starts_with(d.identity, 'event:' || split_part(d.topic, '~', 1) || '#') then d.identity end as own,
  coalesce(d.effect_key, (select o.key from operations o where (o.topic, o.partition, o."offset") = (d.topic, d.partition, d."offset") order by o.id limit 1),
           (select coalesce(r.workflow_id, r.identity) from event_receipts r
             where (r.topic, r.partition, r."offset") = (d.topic, d.partition, d."offset") and r.outcome not in ('dead-lettered', 'duplicate'))) as effect`;

interface KnownRow extends Record<string, unknown> {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly own: string | null;
  readonly effect: string | null;
}

/**
 * The dead letters of a topic, whichever of its name, behind the claims, by `<dead letter's id> <value's hash>`. A claim is good only when Saldo itself sent this very value
 * again: nobody takes over the identity of another event by writing the header. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function findRedrives(db: Db, topic: string, claims: readonly RedriveClaim[]): Promise<Map<string, KnownLetter>> {
  if (claims.length === 0) return new Map();
  const rows = await db.execute<KnownRow & { readonly sha: string }>(sql`
    select ${KNOWN}, g."valueSha256" as sha
      from json_to_recordset(${JSON.stringify(claims)}::json) as g("deadLetterId" bigint, "valueSha256" text)
      join dead_letters d on d.id = g."deadLetterId" and split_part(d.topic, '~', 1) = ${topic}
     where exists (select 1 from dead_letter_redrives r where r.dead_letter_id = d.id and r.value_sha256 = g."valueSha256")`);
  return new Map([...rows].map(({ sha, ...row }) => [`${row.id} ${sha}`, toLetter(row)]));
}

/** What is known of one dead letter of a topic, whichever of its name. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function findLetter(db: Db, topic: string, deadLetterId: string): Promise<KnownLetter | undefined> {
  const [row] = await db.execute<KnownRow>(sql`
    select ${KNOWN} from dead_letters d where d.id = ${deadLetterId}::bigint and split_part(d.topic, '~', 1) = ${topic}`);
  return row === undefined ? undefined : toLetter(row);
}

/**
 * Binds dead letters to effects, for ever: of several wanted effects of one dead letter the first counts, and only while none is bound.
 * An effect that is done already, or a reply to no order, is not bound: it can do nothing new. Returns the bound effects by the dead
 * letter's id. Safe to retry. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function bindEffects(db: Db, wanted: readonly WantedEffect[]): Promise<Map<string, string>> {
  const given = JSON.stringify(wanted.map((one, place) => ({ ...one, place })));
  // The row's lock decides between two bridges: the second one finds the effect bound.
  await db.execute(sql`
    with given as (
      select * from json_to_recordset(${given}::json) as g(place integer, "deadLetterId" bigint, key text, kind text, "subjectId" text)
    ), first as (
      select distinct on (g."deadLetterId") g."deadLetterId" as id, g.key from given g
       where case g.kind when 'order' then not exists (select 1 from orders o where o.id = g."subjectId")
                         when 'reply' then exists (select 1 from orders o where o.id = g."subjectId")
                         else not exists (select 1 from operations o where o.key = g.key) end
       order by g."deadLetterId", g.place
    ), locked as (
      select d.id from dead_letters d join first f on f.id = d.id where d.effect_key is null order by d.id for update of d
    )
    update dead_letters d set effect_key = f.key from first f join locked l on l.id = f.id where d.id = f.id and d.effect_key is null`);
  const ids = JSON.stringify([...new Set(wanted.map(({ deadLetterId }) => deadLetterId))]);
  const rows = await db.execute<{ id: string; effect_key: string }>(sql`
    select id, effect_key from dead_letters
     where id in (select value::bigint from json_array_elements_text(${ids}::json)) and effect_key is not null`);
  return new Map([...rows].map(({ id, effect_key }) => [id, effect_key]));
}

function toLetter({ id, topic, partition, offset, own, effect }: KnownRow): KnownLetter {
  return { deadLetterId: id, origin: { topic, partition, offset }, ownKey: own ?? undefined, effectKey: effect ?? undefined };
}
