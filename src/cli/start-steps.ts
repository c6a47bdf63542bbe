import { ensureSchedules } from "../../workers/schedules.ts";
import { buildWorkflowBundle } from "../../workers/workflow-bundle.ts";
import { ensureSigningKey } from "../adapters/signing-keys.ts";
import { ensureTopics } from "../adapters/kafka.ts";
import type { Config } from "../config.ts";
import { topicsOf } from "../contract/topics.ts";
import { migrateDatabase } from "../store/migrate.ts";
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
