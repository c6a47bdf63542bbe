import { ensureSchedules } from "../../../workers/parts/schedules.ts";
import { buildWorkflowBundle } from "../../../workers/parts/workflow-bundle.ts";
import { ensureTopics } from "../../adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../adapters/log.ts";
import { ensureSigningKey } from "../../adapters/tokens/signing-keys.ts";
import type { Config } from "../../config.ts";
import { kafkaSecurity } from "../../config/server-variables.ts";
import { topicsOf } from "../../contract/topics.ts";
import { migrateDatabase } from "../../store/postgres/migrate.ts";
import { compileRoles } from "./compile-roles.ts";
import type { SystemSteps } from "./prepare-servers.ts";

/** The steps between servers and roles, over the real servers. */
export function createStartSteps(config: Config): SystemSteps {
  return {
    migrate: migrateDatabase,
    buildWorkflowBundle,
    compileRoles,
    ensureTopics: (brokers) => ensureTopics(brokers, topicsOf(config), SILENT_LOG, kafkaSecurity(config)),
    ensureSchedules: (addresses) => ensureSchedules(addresses, config),
    ensureSigningKey,
  };
}
