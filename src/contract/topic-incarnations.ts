/**
 * One topic that stood under a name: a topic that is deleted and made again is another one, and so is that of another cluster. `clusterId` and
 * `topicId` are Kafka's, as its own tools show them.
 */
export interface TopicIncarnation {
  readonly clusterId: string;
  readonly topicId: string;
}

/** True when both are one topic. */
export function isSameIncarnation(one: TopicIncarnation, other: TopicIncarnation): boolean {
  return one.clusterId === other.clusterId && one.topicId === other.topicId;
}
