import { sql } from "drizzle-orm";
import { DomainError } from "../../base/errors.ts";
import { kafkaTopicOf, placeTopic } from "../../contract/ids.ts";
import type { TopicIncarnation } from "../../contract/topic-incarnations.ts";
import type { Db } from "../postgres/database.ts";

/** A topic that was read or declared, and its number among those of its name. `firstReadAt` is undefined before the first message was taken. */
export interface KnownIncarnation extends TopicIncarnation {
  readonly topic: string;
  readonly number: number;
  readonly recordedAt: Date;
  readonly firstReadAt: Date | undefined;
}

/**
 * The number of a topic whose messages are taken now. It was declared, or it is the next one; 1 is the first of a name, and what earlier releases
 * read. It is final from here on. Safe to retry. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function readIncarnation(db: Db, topic: string, { clusterId, topicId }: TopicIncarnation): Promise<number> {
  const [row] = await db.execute<{ number: number }>(sql`select read_incarnation(${topic}, ${clusterId}, ${topicId}) as number`);
  if (row === undefined) throw new Error("the incarnation has no number");
  return row.number;
}

/** Its number without deciding it: 1 when nothing is known of it, as for earlier releases. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function numberOfIncarnation(db: Db, topic: string, { clusterId, topicId }: TopicIncarnation): Promise<number> {
  const [row] = await db.execute<{ number: number }>(sql`
    select number from topic_incarnations where topic = ${topic} and cluster_id = ${clusterId} and topic_id = ${topicId}`);
  return row?.number ?? 1;
}

interface Row extends Record<string, unknown> {
  readonly topic: string;
  readonly cluster_id: string;
  readonly topic_id: string;
  readonly number: number;
  readonly recorded_at: string;
  readonly first_read_at: string | null;
}

/** All that are known, by topic and in the order in which they became so. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function listIncarnations(db: Db): Promise<KnownIncarnation[]> {
  const rows = await db.execute<Row>(sql`
    select topic, cluster_id, topic_id, number, recorded_at, first_read_at from topic_incarnations order by topic, recorded_at, number`);
  return [...rows].map((row) => ({
    topic: row.topic,
    clusterId: row.cluster_id,
    topicId: row.topic_id,
    number: row.number,
    recordedAt: new Date(row.recorded_at),
    firstReadAt: row.first_read_at === null ? undefined : new Date(row.first_read_at),
  }));
}

/** What an operator says of a topic. Without `sameAs` it holds other messages than all topics of its name before. */
export interface IncarnationDeclaration extends TopicIncarnation {
  readonly topic: string;
  /** The number of the topic that holds the same messages at the same partitions and offsets. */
  readonly sameAs: number | undefined;
  readonly actor: string;
  readonly reason: string;
  readonly correlationId: string;
}

/**
 * Says of a topic whether it holds the messages of an earlier one of its name, and keeps who said so; answers its number. Only before its first
 * message is taken. Safe to retry: the act is recorded again. Throws: CONFLICT when it was read as another number; INVALID_REQUEST when no topic
 * has the number `sameAs`; UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function declareIncarnation(db: Db, said: IncarnationDeclaration): Promise<number> {
  const [row] = await db.execute<{ given: number | null; refused: "read" | "unknown" | null }>(sql`
    select given, refused from declare_incarnation(${said.topic}, ${said.clusterId}, ${said.topicId}, ${said.sameAs ?? null}::integer,
           ${said.actor}, ${said.reason}, ${said.correlationId})`);
  if (row?.refused === "unknown")
    throw new DomainError("INVALID_REQUEST", `no ${said.topic} has the number ${said.sameAs}`, { pointer: "/sameAs" });
  if (row?.refused === "read")
    throw new DomainError(
      "CONFLICT",
      `messages of this ${said.topic} were taken as those of ${placeTopic(said.topic, row.given ?? 1)}, for ever`,
    );
  if (row?.given === undefined || row.given === null) throw new Error("the declaration has no number");
  return row.given;
}

/**
 * What a topic is called where a place in it is named. A topic's own name is that of the newest topic that was read under it; with a number, as in
 * `purchases~1`, it is that one. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function placeTopicOf(db: Db, asked: string): Promise<string> {
  const topic = kafkaTopicOf(asked);
  if (asked !== topic) return placeTopic(topic, Number(asked.slice(topic.length + 1)));
  const [row] = await db.execute<{ number: number }>(sql`
    select number from topic_incarnations where topic = ${topic} and first_read_at is not null order by first_read_at desc limit 1`);
  return placeTopic(topic, row?.number ?? 1);
}
