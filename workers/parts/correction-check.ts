import type { Config } from "../../src/config.ts";
import { checkCorrection, type Correction } from "../../src/ingest/redrives.ts";
import { findLetter } from "../../src/store/events/redrives.ts";
import { eachIncoming, type TopicDeps } from "./incoming-topics.ts";

/**
 * The check of corrected dead letters, by which the api refuses what the bridge would refuse. It lets a correction pass whose topic Saldo
 * does not read. The check throws: as `checkCorrection`.
 */
export function createCorrectionCheck(config: Config, deps: TopicDeps): (correction: Correction) => Promise<void> {
  const found = { findLetter: (topic: string, id: string) => findLetter(deps.db, topic, id), nowMs: () => Date.now() };
  const checks = new Map(
    eachIncoming(config, deps, (topic) => [topic.topic, (correction: Correction) => checkCorrection(correction, topic, found)] as const),
  );
  return async (correction) => checks.get(correction.topic)?.(correction);
}
