import { existsSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { sql } from "drizzle-orm";
import { createKafka, ensureTopics, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { seededRandom } from "../../src/cli/kit/seeded-random.ts";
import { loadConfig } from "../../src/config.ts";
import { topicsOf } from "../../src/contract/topics.ts";
import { TEST_RUN_PREFIX } from "../../src/stack/processes/throw-away.ts";
import { startStack, type Stack } from "../../src/stack/stack.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { migrateDatabase } from "../../src/store/postgres/migrate.ts";
import { startImportRoles, type ImportRoles, type ImportRun } from "../support/import-roles.ts";
import { monthlyRevenueOf, readMonthlyFile } from "../support/monthly-revenue.ts";
import { until } from "../support/until.ts";

const USAGE = `npm run chaos:import -- [--seed N] [--kills 10] [--file FILE --expected FILE] [--batch 100]

Imports a file of purchases while bridge, worker and relay are killed (SIGKILL) at seeded moments, on a stack of its own,
and compares the books with what they must be. Without --file: the file in ../shared/data, or the sample of the repository.
`;

const SHARED = { file: "../shared/data/cdnow.csv", expected: "../shared/data/cdnow-monthly.csv" };
const SAMPLE = { file: "test/data/purchases-sample.csv", expected: "test/data/purchases-sample-monthly.csv" };
const VICTIMS = ["bridge", "bridge", "worker", "relay"] as const;
const MIN_PAUSE_MS = 200;
const MAX_PAUSE_MS = 2_500;
const TIME_ZONE = "Europe/Moscow";

interface Kill {
  readonly victim: string;
  readonly atMs: number;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      kills: { type: "string", default: "10" },
      file: { type: "string" },
      expected: { type: "string" },
      batch: { type: "string", default: "100" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const input = chooseInput(values.file, values.expected);
  console.log(`seed ${values.seed}, ${values.kills} kills, ${input.file}`);
  const config = loadConfig({});
  const stack = await startStack({
    servers: ["postgres", "temporal", "kafka"],
    required: ["postgres", "temporal", "kafka"],
    dataDir: join(tmpdir(), `${TEST_RUN_PREFIX}import-${process.pid}`),
    cacheDir: process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo"),
    ephemeral: true,
    ports: "free",
    onKillable: (kill) => void process.once("exit", kill),
  });
  try {
    const { brokers, appUrl, adminUrl, temporalAddress } = addressesOf(stack);
    await migrateDatabase({ adminUrl, appUrl });
    await ensureTopics(brokers, topicsOf(config));
    const database = createDatabase({ url: appUrl, name: "chaos", laneCount: 2, deadlineMs: 60_000 });
    const kafka = createKafka({ brokers, clientId: "chaos", logger: SILENT_LOG });
    const roles = await startImportRoles(
      { databaseUrl: appUrl, temporalAddress, temporalNamespace: "default", kafkaBrokers: brokers },
      {
        dataDir: stack.dataDir,
        settings: { EVENT_BATCH_SIZE: values.batch, KAFKA_SESSION_TIMEOUT_MS: "3000", OUTBOX_POLL_MS: "100", REPORT_TZ: TIME_ZONE },
      },
    );
    try {
      const { run, kills, elapsedMs } = await importUnderKills(roles, input.file, {
        seed: Number(values.seed),
        count: Number(values.kills),
      });
      const problems = await findProblems({ run, kills, wantedKills: Number(values.kills), database, kafka, expected: input.expected });
      console.log(JSON.stringify({ seed: Number(values.seed), elapsedSeconds: Math.round(elapsedMs / 100) / 10, kills, ...run.result }));
      for (const problem of problems) console.log(`WRONG: ${problem}`);
      console.log(problems.length === 0 ? `The books are right after ${kills.length} kills.` : `${problems.length} things are wrong.`);
      return problems.length === 0 ? 0 : 1;
    } finally {
      await roles.stop();
      await kafka.close();
      await database.close();
    }
  } finally {
    await stack.stop();
  }
}

function chooseInput(file: string | undefined, expected: string | undefined): { file: string; expected: string } {
  if (file !== undefined) return { file, expected: expected ?? file.replace(/\.csv$/, "-monthly.csv") };
  if (existsSync(SHARED.file)) return SHARED;
  console.log(`skipped: ${SHARED.file} is not here; the sample of the repository is used`);
  return SAMPLE;
}

function addressesOf(stack: Stack): { brokers: readonly string[]; appUrl: string; adminUrl: string; temporalAddress: string } {
  const { kafka, postgres, temporal } = stack;
  if (kafka === undefined || postgres === undefined || temporal === undefined) throw new Error("a server is missing");
  return { brokers: kafka.brokers, appUrl: postgres.appUrl, adminUrl: postgres.adminUrl, temporalAddress: temporal.address };
}

async function importUnderKills(
  roles: ImportRoles,
  file: string,
  plan: { seed: number; count: number },
): Promise<{ run: ImportRun; kills: Kill[]; elapsedMs: number }> {
  const random = seededRandom(plan.seed);
  const startedAtMs = performance.now();
  const kills: Kill[] = [];
  const over = new AbortController();
  const imported = roles.runImport([file, "--timeout", "900"]).finally(() => over.abort());
  const killing = (async () => {
    // Only kills while rows are on their way prove anything, so the first kill waits for the import's own start.
    await sleep(1_000);
    while (!over.signal.aborted && kills.length < plan.count) {
      await sleep(MIN_PAUSE_MS + random() * (MAX_PAUSE_MS - MIN_PAUSE_MS));
      const victim = VICTIMS[Math.floor(random() * VICTIMS.length)] ?? "bridge";
      const pid = roles.roles[victim].pid();
      if (over.signal.aborted || pid === undefined) continue;
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        continue;
      }
      kills.push({ victim, atMs: Math.round(performance.now() - startedAtMs) });
    }
  })();
  const run = await imported;
  await killing;
  return { run, kills, elapsedMs: performance.now() - startedAtMs };
}

interface Evidence {
  readonly run: ImportRun;
  readonly kills: readonly Kill[];
  readonly wantedKills: number;
  readonly database: Database;
  readonly kafka: Kafka;
  readonly expected: string;
}

async function findProblems({ run, kills, wantedKills, database, kafka, expected }: Evidence): Promise<string[]> {
  const { db } = database;
  const { produced, applied, deadLettered, duplicates } = run.result;
  const problems: string[] = [];
  if (run.exitCode !== 0) problems.push(`the import ended with exit code ${run.exitCode}: ${run.errors}`);
  if (kills.length < wantedKills)
    problems.push(`only ${kills.length} of ${wantedKills} kills came while rows were on their way: use a smaller --batch`);
  if (applied + deadLettered !== produced || duplicates !== 0) problems.push("rows were lost or counted twice");

  const wanted = readMonthlyFile(expected);
  const found = await monthlyRevenueOf(db, "USD", TIME_ZONE);
  if (!isDeepStrictEqual(found, wanted))
    problems.push(`the monthly revenue differs: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
  const audit = await auditBooks(db);
  for (const finding of audit.findings) if (finding.broken > 0n) problems.push(`${finding.invariant}: ${finding.examples.join("; ")}`);

  await until(
    "the outbox is empty",
    async () => (await countOf(database, "select count(*) from outbox where published_at is null")) === 0,
    120_000,
  );
  const letters = await countOf(database, "select count(*) from dead_letters");
  if (letters !== deadLettered) problems.push(`${letters} dead letters are kept, the import counted ${deadLettered}`);
  // At least once: after a kill between Kafka's acknowledgement and the mark a row is published again, under the same id.
  const published = await messagesOn(kafka, "dlq.purchases");
  if (published < letters) problems.push(`${published} dead letters are on Kafka, ${letters} must be`);
  const notified = await messagesOn(kafka, "notifications");
  if (notified < applied) problems.push(`${notified} notifications are on Kafka, ${applied} must be`);
  console.log(
    JSON.stringify({ deadLetters: letters, deadLettersOnKafka: published, notificationsOnKafka: notified, months: found.length }),
  );
  return problems;
}

async function countOf({ db }: Database, query: string): Promise<number> {
  const [row] = await db.execute<{ count: string }>(sql.raw(query));
  return Number(row?.count);
}

async function messagesOn(kafka: Kafka, topic: string): Promise<number> {
  return (await kafka.topicOffsets(topic)).reduce((sum, { low, high }) => sum + Number(high - low), 0);
}
