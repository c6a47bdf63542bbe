import { Kafka, logLevel, PartitionAssigners, type EachBatchPayload } from "kafkajs";
import postgres from "postgres";
import { asAdmin, type BenchDatabase } from "../system/database.ts";

export interface PlainConsumer {
  joined(): boolean;
  stop(): Promise<void>;
}

interface PlainConsumerInput {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly databaseUrl: string;
  readonly partitionsAtOnce: number;
  readonly onFailure: (error: Error) => void;
}

const TABLE = "bench_events";
const CONNECTIONS = 2;

/** Makes the only table that the bare consumer writes: the events' fields, keyed by partition and offset. */
export async function createPlainTable({ adminUrl }: Pick<BenchDatabase, "adminUrl">): Promise<void> {
  await asAdmin(adminUrl, (sql) =>
    sql.unsafe(`create table ${TABLE} (
      topic text not null, partition_id int not null, offset_id bigint not null, event_id text not null, user_id text not null,
      amount numeric not null, currency text not null, payment_method text not null, occurred_at timestamptz not null,
      primary key (topic, partition_id, offset_id)); grant select, insert on ${TABLE} to public`),
  );
}

/** How many events of the topic the bare consumer has written. */
export async function countPlainEvents({ adminUrl }: Pick<BenchDatabase, "adminUrl">, topic: string): Promise<number> {
  const [row] = await asAdmin(adminUrl, (sql) => sql`select count(*)::int as found from ${sql(TABLE)} where topic = ${topic}`);
  return Number(row?.["found"]);
}

/**
 * The baseline: the Kafka client with its defaults, one multi-row INSERT per fetched batch, then the commit of its offset. No ledger, no
 * workflow, no dead letters. Its group has the topic's name. `onFailure` gets the error of a batch.
 */
export async function startPlainConsumer(input: PlainConsumerInput): Promise<PlainConsumer> {
  const client = new Kafka({ clientId: "bench-plain", brokers: [...input.brokers], logLevel: logLevel.NOTHING });
  const sql = postgres(input.databaseUrl, { max: CONNECTIONS, fetch_types: false, onnotice: () => undefined });
  const consumer = client.consumer({ groupId: input.topic, partitionAssigners: [PartitionAssigners.roundRobin], maxWaitTimeInMs: 500 });
  let joined = false;
  consumer.on(consumer.events.GROUP_JOIN, () => {
    joined = true;
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [input.topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: input.partitionsAtOnce,
    eachBatch: async (payload) => {
      try {
        await insertBatch(sql, payload);
      } catch (error) {
        input.onFailure(error as Error);
        throw error;
      }
    },
  });
  return {
    joined: () => joined,
    async stop() {
      await consumer.disconnect();
      await sql.end({ timeout: 5 });
    },
  };
}

async function insertBatch(sql: postgres.Sql, { batch, commitOffsetsIfNecessary, resolveOffset }: EachBatchPayload): Promise<void> {
  const { topic, partition, messages } = batch;
  const events = messages.map(({ offset, value }) => Object.assign(JSON.parse((value ?? "").toString()), { offset_id: offset }) as object);
  await sql`
    insert into ${sql(TABLE)} (topic, partition_id, offset_id, event_id, user_id, amount, currency, payment_method, occurred_at)
    select ${topic}, ${partition}::int, g.* from json_to_recordset(${JSON.stringify(events)}::text::json)
      as g(offset_id bigint, event_id text, user_id text, amount numeric, currency text, payment_method text, transaction_date timestamptz)`;
  const offset = (BigInt(batch.lastOffset()) + 1n).toString();
  await commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] });
  resolveOffset(batch.lastOffset());
}
