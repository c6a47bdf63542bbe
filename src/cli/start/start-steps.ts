import { ensureSchedules } from "../../../workers/parts/schedules.ts";
import { buildWorkflowBundle } from "../../../workers/parts/workflow-bundle.ts";
import { ensureTopics } from "../../adapters/kafka/kafka.ts";
import { ensureSigningKey } from "../../adapters/tokens/signing-keys.ts";
import type { Config } from "../../config.ts";
import { topicsOf } from "../../contract/topics.ts";
import { migrateDatabase } from "../../store/postgres/migrate.ts";
import type { SystemSteps } from "./system.ts";

/** The real steps between servers and roles. */
export function createStartSteps(config: Config): SystemSteps {
  return {
    migrate: migrateDatabase,
    buildWorkflowBundle,
    ensureTopics: (brokers) => ensureTopics(brokers, topicsOf(config)),
    ensureSchedules,
    ensureSigningKey,
  };
}
