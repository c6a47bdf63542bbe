import { hideSecret, loadConfig } from "../config.ts";
import { sentenceOf } from "../stack/stack-error.ts";
import { createStartSteps } from "./start-steps.ts";

// One run, for compose and for operators: the schema, then the topics and schedules of the servers that are configured.
try {
  const config = loadConfig();
  const steps = createStartSteps(config);
  if (config.DATABASE_URL === undefined) throw new Error("DATABASE_URL is needed to migrate.");
  const { applied } = await steps.migrate({ adminUrl: config.DATABASE_ADMIN_URL ?? config.DATABASE_URL, appUrl: config.DATABASE_URL });
  process.stdout.write(`${hideSecret(config.DATABASE_URL)}: ${applied === 0 ? "up to date" : `${applied} migrations applied`}\n`);
  if (config.KAFKA_BROKERS !== undefined) {
    await steps.ensureTopics(config.KAFKA_BROKERS.split(",").map((broker) => broker.trim()));
    process.stdout.write("Kafka topics: ready\n");
  }
  if (config.TEMPORAL_ADDRESS !== undefined) {
    await steps.ensureSchedules({ temporalAddress: config.TEMPORAL_ADDRESS, namespace: config.TEMPORAL_NAMESPACE });
    process.stdout.write("Schedules: ready\n");
  }
  process.exit(0);
} catch (error) {
  process.stderr.write(`${sentenceOf(error)}\n`);
  process.exit(1);
}
