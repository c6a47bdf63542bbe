import type { EachBatchPayload } from "kafkajs";
import { isSameIncarnation, type TopicIncarnation } from "../../contract/topic-incarnations.ts";
import type { Log } from "../log.ts";
import { NO_NOTE, noteText, type PartitionNote } from "./kafka-note.ts";
import type { PartitionOffsets } from "./kafka-offsets.ts";

export interface PlaceDeps {
  readonly topic: string;
  readonly group: string;
  readonly readNotes: () => Promise<ReadonlyMap<number, PartitionNote>>;
  readonly readOffsets: () => Promise<readonly PartitionOffsets[]>;
  readonly commit: (partition: number, offset: string, metadata: string | null) => Promise<void>;
  readonly log: Log;
}

/** Where a member of a group stands in its partitions: what the group has noted of each, and of which topic its place is. */
export interface Places {
  /** The member joined the group: what it knew of its partitions may be old, and is asked for anew beside the first fetch. */
  joined(): void;
  /** What a commit of the partition says, while it can be read. Throws: the client's error, when the group's notes cannot be read. */
  note(partition: number): Promise<PartitionNote>;
  /** The note that was committed last. */
  noted(partition: number, note: PartitionNote): Promise<void>;
  /**
   * Says of which topic the fetched partition is; its commits carry it from here on. Goes to the partition's beginning when the place that it was
   * fetched from is that of an earlier topic of the name on the same cluster, and answers whether it did. A place on another cluster was brought
   * there on purpose, and is kept. Throws: the client's error.
   */
  startOverIfOther(payload: EachBatchPayload, incarnation: TopicIncarnation): Promise<boolean>;
  /**
   * Where partitions begin whose place is that of an earlier topic. A place behind the end of a topic that was made again would be waited at, and
   * what stands before it never be read. Throws: the client's error.
   */
  beginningsOfOthers(
    partitions: readonly number[],
    incarnation: TopicIncarnation,
  ): Promise<readonly { partition: number; offset: string }[]>;
}

/** Asks Kafka for nothing until the group is joined. */
export function createPlaces(deps: PlaceDeps): Places {
  /** Of which topic the place is that a partition is read at; before the first batch its note says it. */
  const standing = new Map<number, TopicIncarnation>();
  let notes: Promise<Map<number, PartitionNote>> | undefined;
  const knownNotes = (): Promise<Map<number, PartitionNote>> => {
    notes ??= deps.readNotes().then(
      (read) => new Map(read),
      (error: unknown) => {
        notes = undefined;
        throw error;
      },
    );
    return notes;
  };
  const placeIn = async (partition: number): Promise<TopicIncarnation | undefined> =>
    standing.get(partition) ?? (await knownNotes()).get(partition)?.incarnation;

  return {
    joined() {
      notes = undefined;
      standing.clear();
      // The first batch needs them. Where this fails, it asks again.
      knownNotes().catch(() => {});
    },
    async note(partition) {
      const { removedUnread, incarnation } = (await knownNotes()).get(partition) ?? NO_NOTE;
      return { removedUnread, unreadable: undefined, incarnation: standing.get(partition) ?? incarnation };
    },
    async noted(partition, note) {
      (await knownNotes()).set(partition, note);
    },
    async startOverIfOther(payload, incarnation) {
      const { topic, partition } = payload.batch;
      const was = await placeIn(partition);
      if (!isEarlier(was, incarnation)) {
        standing.set(partition, incarnation);
        return false;
      }
      const low = (await deps.readOffsets()).find((known) => known.partition === partition)?.low ?? 0n;
      await deps.commit(partition, low.toString(), noteText({ ...NO_NOTE, incarnation }));
      (await knownNotes()).delete(partition);
      standing.set(partition, incarnation);
      payload.resolveOffset((low - 1n).toString());
      deps.log.error(
        { event: "kafka.other-topic", group: deps.group, topic, partition, was, is: incarnation },
        "the topic was deleted and made again: it is read from its beginning",
      );
      return true;
    },
    async beginningsOfOthers(partitions, incarnation) {
      const places = await Promise.all(partitions.map(placeIn));
      const others = partitions.filter((_partition, index) => isEarlier(places[index], incarnation));
      if (others.length === 0) return [];
      return (await deps.readOffsets())
        .filter(({ partition }) => others.includes(partition))
        .map(({ partition, low }) => ({ partition, offset: low.toString() }));
    },
  };
}

function isEarlier(noted: TopicIncarnation | undefined, now: TopicIncarnation): boolean {
  return noted !== undefined && noted.clusterId === now.clusterId && !isSameIncarnation(noted, now);
}
