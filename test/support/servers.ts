import { homedir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import type { TestProject } from "vitest/node";
import { clearLeftovers } from "../../src/stack/processes/leftovers.ts";
import type { ServerName, ServerProgress } from "../../src/stack/progress.ts";
import { SHARED_DIR } from "../../src/stack/servers/postgres-binaries.ts";
import { startStack, type Stack } from "../../src/stack/stack.ts";
import { migrateDatabase } from "../../src/store/postgres/migrate.ts";
import { TEMPLATE_DATABASE, withDatabase } from "./database-url.ts";
import { keepVitestFolder, runFolder } from "./run-folder.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The superuser's address of the server's first database; each test file makes its own by createTestDatabase. */
    databaseAdminUrl: string;
    databaseAppUrl: string;
    temporalAddress: string;
    kafkaBrokers: string[];
    redisUrl: string;
    /** The cache with the servers' programs, for tests that start servers of their own. */
    cacheDir: string;
    /** For TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: "existing-path", path } } }). */
    timeSkippingServerPath: string;
  }
}

const ALL: readonly ServerName[] = ["postgres", "temporal", "kafka", "redis", "time-skipping"];

/**
 * Starts real servers on free ports for one run of the tests and provides their addresses; the returned function stops them.
 * SALDO_TEST_SERVERS limits them for a quick run: `postgres,redis`, or `none`.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = wantedServers(process.env["SALDO_TEST_SERVERS"]);
  const cacheDir = process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo");
  project.provide("cacheDir", cacheDir);
  const run = runFolder();
  keepVitestFolder(project.tmpDir);
  await clearLeftovers({ temporary: run.parent, shared: SHARED_DIR });
  const abort = new AbortController();
  const onProgress = (event: ServerProgress) => {
    if (event.state === "building" && event.elapsedMs % 10_000 < 1_000) console.log(`${event.server}: ${event.detail}`);
  };
  let kill = () => {};
  const killAtExit = () => kill();
  process.once("exit", killAtExit);
  const starting = startStack({
    servers,
    required: servers,
    dataDir: run.folder,
    cacheDir,
    ephemeral: true,
    ports: "free",
    onProgress,
    onKillable: (killEverything) => {
      kill = killEverything;
    },
    signal: abort.signal,
  });
  const stopOnSignal = (signal: NodeJS.Signals) => {
    abort.abort();
    void starting
      .then((stack) => stack.stop())
      .catch(() => undefined)
      .finally(() => process.exit(signal === "SIGINT" ? 130 : 143));
  };
  process.once("SIGINT", stopOnSignal);
  process.once("SIGTERM", stopOnSignal);
  const stack = await starting;
  try {
    await provideAddresses(project, stack);
  } catch (error) {
    await stack.stop();
    throw error;
  }
  return async () => {
    await stack.stop();
    process.off("exit", killAtExit);
    process.off("SIGINT", stopOnSignal);
    process.off("SIGTERM", stopOnSignal);
  };
}

function wantedServers(knob: string | undefined): ServerName[] {
  if (knob === undefined || knob === "") return [...ALL];
  if (knob === "none") return [];
  const names = knob.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !ALL.includes(name as ServerName));
  if (unknown !== undefined) throw new Error(`SALDO_TEST_SERVERS names ${unknown}; it takes ${ALL.join(", ")} or none.`);
  return names as ServerName[];
}

async function provideAddresses(project: TestProject, stack: Stack): Promise<void> {
  if (stack.postgres !== undefined) {
    const { adminUrl, appUrl } = stack.postgres;
    await makeTemplate(adminUrl, appUrl);
    project.provide("databaseAdminUrl", adminUrl);
    project.provide("databaseAppUrl", appUrl);
  }
  if (stack.temporal !== undefined) project.provide("temporalAddress", stack.temporal.address);
  if (stack.kafka !== undefined) project.provide("kafkaBrokers", [...stack.kafka.brokers]);
  if (stack.redis !== undefined) project.provide("redisUrl", stack.redis.url);
  if (stack.timeSkippingPath !== undefined) project.provide("timeSkippingServerPath", stack.timeSkippingPath);
}

async function makeTemplate(adminUrl: string, appUrl: string): Promise<void> {
  const sql = postgres(adminUrl, { max: 1, onnotice: () => undefined });
  try {
    await sql.unsafe(`create database ${TEMPLATE_DATABASE}`);
    await migrateDatabase({ adminUrl: withDatabase(adminUrl, TEMPLATE_DATABASE), appUrl: withDatabase(appUrl, TEMPLATE_DATABASE) });
    // A database with an open session cannot be copied, so no connection to the template is allowed from here on.
    await sql.unsafe(`alter database ${TEMPLATE_DATABASE} with is_template true allow_connections false`);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
