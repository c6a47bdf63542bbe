import type { Config } from "../../src/config.ts";
import { createIngest, type Ingest, type IngestDeps } from "../../src/ingest/ingest.ts";
import { writeDeadLetters } from "../../src/store/events/dead-letters.ts";
import { recordReceipts } from "../../src/store/events/receipts.ts";
import { bindEffects, findRedrives } from "../../src/store/events/redrives.ts";
import { readIncarnation } from "../../src/store/events/topic-incarnations.ts";
import { eachIncoming, type TopicDeps } from "./incoming-topics.ts";

/** A topic that the bridge reads, with its consumer group and the ingest of its messages. */
export interface BridgeTopic {
  readonly topic: string;
  readonly group: string;
  readonly ingest: Ingest;
}

interface Deps extends TopicDeps {
  readonly ingestion: Pick<IngestDeps<object>, "limits" | "backoff" | "log">;
}

/** The topics that a bridge reads by the configuration. */
export function bridgeTopics(config: Config, { ingestion, ...deps }: Deps): BridgeTopic[] {
  const { db } = deps;
  return eachIncoming(config, deps, (topic, group) => ({
    topic: topic.topic,
    group,
    ingest: createIngest({
      ...ingestion,
      topic,
      writeDeadLetters: (letters) => writeDeadLetters(db, { deadLetterTopic: topic.deadLetterTopic, letters }),
      redrives: { find: (name, claims) => findRedrives(db, name, claims), bind: (wanted) => bindEffects(db, wanted) },
      recordReceipts: (receipts) => recordReceipts(db, receipts),
      readIncarnation: (name, incarnation) => readIncarnation(db, name, incarnation),
    }),
  }));
}
