import type { Kafka, KafkaProducer, OutgoingMessage } from "../../adapters/kafka/kafka.ts";
import type { OffsetRange } from "../../store/events/import-tally.ts";
import type { EventRow } from "./event-csv.ts";

export interface ProduceDeps {
  readonly kafka: Pick<Kafka, "topicOffsets">;
  readonly producer: Pick<KafkaProducer, "send">;
  readonly topic: string;
  readonly progress: { produced(rows: number): void };
}

const MAX_ROWS_PER_SEND = 2_000;
/** One send may go to one partition as one record batch, and the broker takes 1 MiB. */
const MAX_BYTES_PER_SEND = 700_000;
/** Rows are produced and counted by windows, so that memory is that of one window, however many rows the file has. */
const MAX_ROWS_PER_WINDOW = 20_000;
const MAX_BYTES_PER_WINDOW = 16_000_000;

/** The next offset of each partition, by its number. */
export type Offsets = ReadonlyMap<number, bigint>;

/** A run of rows that was produced between two moments. */
export interface Window {
  readonly rows: number;
  /** The next offsets after the last of them. */
  readonly end: Offsets;
}

/** The next offset of each partition as it is now. Throws: the client's error when Kafka refuses. */
export async function highOffsets({ kafka, topic }: Pick<ProduceDeps, "kafka" | "topic">): Promise<Offsets> {
  return new Map((await kafka.topicOffsets(topic)).map(({ partition, high }) => [partition, high]));
}

/** What was produced between two moments. */
export function rangesBetween(begin: Offsets, end: Offsets): OffsetRange[] {
  return [...end].map(([partition, to]) => ({ partition, from: begin.get(partition) ?? 0n, to }));
}

/** Produces the rows, in their order, and answers in which windows. Throws: the client's error when Kafka refuses. */
export async function produceRows(deps: ProduceDeps, rows: AsyncIterable<EventRow>, begin: Offsets): Promise<Window[]> {
  const windows: Window[] = [];
  let batch: OutgoingMessage[] = [];
  let batchBytes = 0;
  let produced = 0;
  let windowRows = 0;
  let windowBytes = 0;
  const flush = async () => {
    if (batch.length > 0) await deps.producer.send(deps.topic, batch);
    batch = [];
    batchBytes = 0;
    deps.progress.produced(produced);
  };
  const closeWindow = async () => {
    await flush();
    windows.push({ rows: windowRows, end: later(windows.at(-1)?.end ?? begin, await highOffsets(deps)) });
    windowRows = 0;
    windowBytes = 0;
  };
  for await (const row of rows) {
    if (batch.length >= MAX_ROWS_PER_SEND || batchBytes + row.json.length > MAX_BYTES_PER_SEND) await flush();
    batch.push({ key: row.key, value: row.json });
    batchBytes += row.json.length;
    windowBytes += row.json.length;
    produced += 1;
    windowRows += 1;
    if (windowRows >= MAX_ROWS_PER_WINDOW || windowBytes >= MAX_BYTES_PER_WINDOW) await closeWindow();
  }
  if (windowRows > 0) await closeWindow();
  return windows;
}

// A broker that has just become a partition's leader may answer an older end; no message may stand in two windows.
function later(before: Offsets, now: Offsets): Offsets {
  return new Map([...now].map(([partition, offset]) => [partition, max(offset, before.get(partition) ?? 0n)]));
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
