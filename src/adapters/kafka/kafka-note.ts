import type { TopicIncarnation } from "../../contract/topic-incarnations.ts";

/**
 * What a group keeps of a partition beside its offset, in the metadata of its commits: every process that reads the offset reads it, and it
 * lasts as long.
 */
export interface PartitionNote {
  /** How many offsets the broker had removed before they were read, in all. */
  readonly removedUnread: bigint;
  /** Why the partition cannot be read; undefined while it can. */
  readonly unreadable: string | undefined;
  /** Of which topic the offset is; undefined when the commit does not say, as those of earlier releases. */
  readonly incarnation?: TopicIncarnation | undefined;
}

/** Where a group stands in a partition: everything below `offset` is done. */
export interface GroupPlace {
  readonly offset: bigint;
  readonly note: PartitionNote;
}

export const NO_NOTE: PartitionNote = { removedUnread: 0n, unreadable: undefined };

/** The broker takes 4,096 bytes. */
const MAX_REASON_CHARACTERS = 400;

/** A note as the metadata of a commit; null for one that says nothing. */
export function noteText({ removedUnread, unreadable, incarnation }: PartitionNote): string | null {
  if (removedUnread === 0n && unreadable === undefined && incarnation === undefined) return null;
  return JSON.stringify({
    ...(incarnation === undefined ? {} : { cluster: incarnation.clusterId, topic: incarnation.topicId }),
    ...(removedUnread === 0n ? {} : { removedUnread: removedUnread.toString() }),
    ...(unreadable === undefined ? {} : { unreadable: unreadable.slice(0, MAX_REASON_CHARACTERS) }),
  });
}

/** The note that a commit's metadata hold; what is none of ours says nothing. Never throws. */
export function readNote(text: string | null | undefined): PartitionNote {
  try {
    const note = JSON.parse(text ?? "") as Readonly<Record<string, unknown>> | null;
    const { removedUnread, unreadable, cluster: clusterId, topic: topicId } = note ?? {};
    return {
      removedUnread: typeof removedUnread === "string" && /^\d{1,19}$/.test(removedUnread) ? BigInt(removedUnread) : 0n,
      unreadable: typeof unreadable === "string" ? unreadable : undefined,
      ...(typeof clusterId === "string" && typeof topicId === "string" ? { incarnation: { clusterId, topicId } } : {}),
    };
  } catch {
    return NO_NOTE;
  }
}
