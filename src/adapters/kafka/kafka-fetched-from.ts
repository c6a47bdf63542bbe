import { isSameIncarnation, type TopicIncarnation } from "../../contract/topic-incarnations.ts";

/** Tells of which topic it is what a consumer fetched. */
export interface FetchedFrom {
  /** Asks once before the first fetch. Throws: the client's error. */
  begin(): Promise<void>;
  /**
   * The topic that the partition's last fetch was answered from; undefined when that is not sure, because another topic of the name stands there
   * now than before the fetch: what was fetched may be of either, and is not to be used. Throws: the client's error.
   */
  incarnation(partition: number): Promise<TopicIncarnation | undefined>;
}

/**
 * The answer to a fetch does not name the topic's id (the client's last version of the request is 11, ids begin with 13). But ids never come
 * again: what was fetched between two questions with the same answer is of that topic. `ask` answers undefined while there is no topic.
 */
export function createFetchedFrom(ask: (partition: number) => Promise<TopicIncarnation | undefined>): FetchedFrom {
  let first: TopicIncarnation | undefined;
  const before = new Map<number, TopicIncarnation | undefined>();
  return {
    async begin() {
      first = await ask(0);
    },
    async incarnation(partition) {
      const now = await ask(partition);
      const last = before.has(partition) ? before.get(partition) : first;
      before.set(partition, now);
      return now !== undefined && last !== undefined && isSameIncarnation(now, last) ? now : undefined;
    },
  };
}
