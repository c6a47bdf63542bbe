import type { Consumer } from "kafkajs";
import type { Log } from "../log.ts";
import type { IncarnationReader } from "./kafka-incarnations.ts";
import type { Places } from "./kafka-places.ts";

/** Looks whether a topic was made again while its consumer has nothing to fetch. */
export interface OtherTopicWatch {
  /** Looks once. */
  look(): void;
  /** Looks at intervals. */
  start(): void;
  stop(): void;
}

/** How long a topic that was made again and is exactly as long as what was read of the earlier one may go unnoticed. */
const LOOK_EVERY_MS = 5_000;

/** Lets the consumer read those of its partitions from their beginning whose place is that of an earlier topic. Never throws. */
export function createOtherTopicWatch(deps: {
  readonly consumer: Pick<Consumer, "seek">;
  readonly topic: string;
  readonly assigned: () => readonly number[];
  readonly places: Pick<Places, "beginningsOfOthers">;
  readonly readIncarnation: IncarnationReader["read"];
  readonly logger: Log;
}): OtherTopicWatch {
  const { topic } = deps;
  let timer: NodeJS.Timeout | undefined;
  const leaveOthers = async (): Promise<void> => {
    const [first] = deps.assigned();
    const incarnation = first === undefined ? undefined : await deps.readIncarnation(topic, first);
    if (incarnation === undefined) return;
    for (const beginning of await deps.places.beginningsOfOthers(deps.assigned(), incarnation)) deps.consumer.seek({ topic, ...beginning });
  };
  const look = (): void => {
    leaveOthers().catch((error: unknown) => deps.logger.debug({ err: error, topic }, "the topic's id is not known now"));
  };
  return {
    look,
    start() {
      timer = setInterval(look, LOOK_EVERY_MS).unref();
    },
    stop: () => clearInterval(timer),
  };
}
