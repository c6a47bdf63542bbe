import type { Config } from "../config.ts";
import { topicsOf } from "../contract/topics.ts";
import { migrateDatabase } from "../store/migrate.ts";
import type { SystemSteps } from "./system.ts";

/** The real steps between servers and roles. */
export function createStartSteps(config: Config): SystemSteps {
  return {
    migrate: migrateDatabase,
    buildWorkflowBundle: async (cacheDir) => {
      const { buildWorkflowBundle } = await load<{ buildWorkflowBundle(cacheDir: string): Promise<string> }>("../../workers/workflow-bundle.ts");
      return buildWorkflowBundle(cacheDir);
    },
    ensureTopics: async (brokers) => {
      const { ensureTopics } = await load<{ ensureTopics(brokers: readonly string[], topics: unknown): Promise<void> }>("../adapters/kafka.ts");
      await ensureTopics(brokers, topicsOf(config));
    },
    ensureSchedules: async (addresses) => {
      const { ensureSchedules } = await load<{ ensureSchedules(addresses: { temporalAddress: string; namespace: string }): Promise<void> }>("../../workers/schedules.ts");
      await ensureSchedules(addresses);
    },
  };
}

async function load<Module>(path: string): Promise<Module> {
  return (await import(new URL(path, import.meta.url).href)) as Module;
}
