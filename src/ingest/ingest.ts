import type { BatchControl, FetchedBatch } from "../adapters/kafka/kafka-consumer.ts";
import { placeTopic } from "../contract/ids.ts";
import type { TopicIncarnation } from "../contract/topic-incarnations.ts";
import { createChunksAhead } from "./chunks-ahead.ts";
import type { ChunkLimits } from "./chunks.ts";
import { createChunkHandler, type ChunkDeps } from "./handle-chunk.ts";
import { createPatience } from "./patience.ts";
import { withRedrives, type RedriveDeps } from "./redrives.ts";

export interface IngestDeps<Event> extends ChunkDeps<Event> {
  /** Finds the dead letters behind redrives, and binds each to its effect. */
  readonly redrives: RedriveDeps;
  /** The number of a topic among those that stood under its name; from here on it is final. Safe to retry. */
  readonly readIncarnation: (topic: string, incarnation: TopicIncarnation) => Promise<number>;
  readonly limits: ChunkLimits;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
}

export interface Ingest {
  /**
   * Handles a fetched batch as far as it can. Never throws on content, nor for an outage of Temporal or Postgres: it waits outages out.
   * Throws: what `commit` throws.
   */
  handle(batch: FetchedBatch, control: BatchControl): Promise<void>;
  /** The outage that the ingest waits out at this moment, in words; undefined when there is none. */
  outage(): string | undefined;
}

/**
 * What the bridge does with the messages of a topic. For each chunk, in order: the valid events take effect, the other messages become
 * dead letters, and only then the chunk's end is committed. After a kill at any point the chunk is handled again, which changes nothing.
 */
export function createIngest<Event extends object>(deps: IngestDeps<Event>): Ingest {
  const patience = createPatience(deps);
  const handleChunk = createChunkHandler(deps, patience);
  const chunksAhead = createChunksAhead(deps.limits, deps.topic.read);
  const numbers = new Map<string, number>();
  const numberOf = async (topic: string, incarnation: TopicIncarnation): Promise<number> => {
    const { clusterId, topicId } = incarnation;
    const known = numbers.get(`${clusterId} ${topicId}`);
    if (known !== undefined) return known;
    const number = await deps.readIncarnation(topic, incarnation);
    numbers.set(`${clusterId} ${topicId}`, number);
    const fields = { event: "kafka.incarnation", topic, ...incarnation, number };
    if (number === 1) deps.log.info(fields, "the topic is the first of its name");
    else deps.log.warn(fields, "another topic stood under this name before: its places are others than this one's");
    return number;
  };
  return {
    async handle(batchOfTopic, control) {
      const place = { topic: batchOfTopic.topic, partition: batchOfTopic.partition };
      const number = await patience.untilDone("the topic's incarnation", place, control, () =>
        numberOf(place.topic, batchOfTopic.incarnation),
      );
      if (number === undefined) return;
      const fetched = { ...batchOfTopic, topic: placeTopic(place.topic, number) };
      const { topic, partition } = fetched;
      const batch = await patience.untilDone("the redrives", { topic, partition }, control, () =>
        withRedrives(fetched, deps.topic, deps.redrives),
      );
      if (batch === undefined) return;
      for await (const chunk of chunksAhead(batch)) {
        if (!control.isActive() || !(await handleChunk(batch, chunk, control))) {
          deps.log.info({ topic, partition, fromOffset: chunk.firstOffset }, "left the rest of the batch for the partition's next owner");
          return;
        }
      }
    },
    outage: patience.outage,
  };
}
