import { keysDirOf } from "../../workers/parts/open-identity.ts";
import { hideSecret, loadRoleConfig } from "../config.ts";
import { CommandFailure, runCommand } from "./kit/command.ts";
import { createStartSteps } from "./start/start-steps.ts";

const USAGE = `node --import tsx src/cli/migrate.ts

For compose and for operators: applies the migrations to DATABASE_URL and makes the first signing key in AUTH_KEYS_DIR; then makes the
topics at KAFKA_BROKERS and the schedules at TEMPORAL_ADDRESS, where they are set. Migrations use DATABASE_ADMIN_URL when it is set.
`;

process.exit(await runCommand({ name: "migrate", usage: USAGE, options: {}, run: migrate }));

async function migrate(): Promise<number> {
  const config = loadRoleConfig({});
  const steps = createStartSteps(config);
  if (config.DATABASE_URL === undefined) throw new CommandFailure("DATABASE_URL is needed to migrate.");
  const { applied } = await steps.migrate({ adminUrl: config.DATABASE_ADMIN_URL ?? config.DATABASE_URL, appUrl: config.DATABASE_URL });
  process.stdout.write(`${hideSecret(config.DATABASE_URL)}: ${applied === 0 ? "up to date" : `${applied} migrations applied`}\n`);
  const { made } = await steps.ensureSigningKey(keysDirOf(config));
  process.stdout.write(`Signing keys: ${made ? "made" : "ready"}\n`);
  if (config.KAFKA_BROKERS !== undefined) {
    await steps.ensureTopics(config.KAFKA_BROKERS.split(",").map((broker) => broker.trim()));
    process.stdout.write("Kafka topics: ready\n");
  }
  if (config.TEMPORAL_ADDRESS !== undefined) {
    await steps.ensureSchedules({ temporalAddress: config.TEMPORAL_ADDRESS, namespace: config.TEMPORAL_NAMESPACE });
    process.stdout.write("Schedules: ready\n");
  }
  return 0;
}
