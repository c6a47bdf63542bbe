import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { WebhookPort } from "../../activities/activity-deps.ts";
import { createActivities } from "../../activities/index.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createLogger } from "../../src/adapters/logger.ts";
import { createTemporal } from "../../src/adapters/temporal/temporal.ts";
import { DomainError } from "../../src/base/errors.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { TEST_RUN_PREFIX } from "../../src/stack/processes/throw-away.ts";
import { findTemporalBinary } from "../../src/stack/servers/temporal-binary.ts";
import { startStack } from "../../src/stack/stack.ts";
import { createStarters } from "../../src/starters/index.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { migrateDatabase } from "../../src/store/postgres/migrate.ts";
import { createSaldoWorkers, installRuntime } from "../../workers/parts/create-worker.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import { createFakePsp } from "../support/fake-psp.ts";
import { RECORDED_PURCHASES, SCENARIOS } from "./scenarios.ts";

/*
 * npm run record:histories [-- NAME...]: runs each scenario, or those named, on a real Temporal and Postgres of its own and writes its
 * history to test/replay/histories. Record a path again only when its change is meant: the old history is what running work looks like.
 */
const HISTORIES = fileURLToPath(new URL("./histories", import.meta.url));
const CACHE_DIR = join(homedir(), ".cache", "saldo");

installRuntime(createLogger({ role: "recording", level: "fatal", pretty: false }));
await record(process.argv.slice(2));
process.exit(0);

async function record(wanted: readonly string[]): Promise<void> {
  const names = wanted.length > 0 ? wanted : Object.keys(SCENARIOS);
  const unknown = names.find((name) => SCENARIOS[name] === undefined);
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}; there are ${Object.keys(SCENARIOS).join(", ")}`);
  const dataDir = join(tmpdir(), `${TEST_RUN_PREFIX}recording-${randomUUID().slice(0, 8)}`);
  const stack = await startStack({ servers: ["postgres", "temporal"], dataDir, cacheDir: CACHE_DIR, ephemeral: true, ports: "free" });
  try {
    if (stack.postgres === undefined || stack.temporal === undefined) throw new Error("Postgres and Temporal are needed");
    const { adminUrl, appUrl } = stack.postgres;
    await migrateDatabase({ adminUrl, appUrl });
    await recordAll(names, { url: appUrl, address: stack.temporal.address });
  } finally {
    await stack.stop();
  }
}

async function recordAll(names: readonly string[], servers: { url: string; address: string }): Promise<void> {
  const link = await createTemporal({ address: servers.address, namespace: "default", deadlineMs: 10_000, logger: SILENT_LOG });
  const database = createDatabase({ url: servers.url, name: "recording", laneCount: 2, deadlineMs: 10_000 });
  const ledger = createLedger({ url: servers.url, name: "recording", laneCount: 1, deadlineMs: 10_000 });
  const lossy = losesCaptures(ledger);
  const psp = createFakePsp();
  const receiver = fickleReceiver();
  const starters = createStarters({ client: link.client, eager: true, deadlineMs: 20_000 });
  const workers = await createSaldoWorkers({
    connection: link.connection,
    namespace: link.namespace,
    taskQueues: Object.values(TASK_QUEUES),
    bundlePath: await buildWorkflowBundle(CACHE_DIR),
    activities: createActivities({
      db: database.db,
      ledger: lossy.ledger,
      psp,
      workflows: starters,
      logger: SILENT_LOG,
      reportsDir: tmpdir(),
      openLane: (name) => database.openLane(name),
      webhooks: receiver.port,
      eventsAt: async ({ topic, partition, firstOffset, lastOffset }) => ({
        topic,
        partition,
        firstOffset,
        lastOffset,
        events: RECORDED_PURCHASES,
      }),
    }),
    cacheSize: 100,
  });
  const recording = {
    starters,
    client: link.client,
    db: database.db,
    psp,
    failDeliveries: receiver.fail,
    loseCaptures: lossy.lose,
    payInSteps: lossy.payInSteps,
    async fund(userId: string, amountMinor: bigint) {
      const origin = { caller: "recording", correlationId: "recording" };
      await ledger.post(depositOperation({ key: `fund:${userId}`, userId, currency: "RUB", amountMinor, comment: "recording", origin }));
    },
  };
  await mkdir(HISTORIES, { recursive: true });
  for (const name of names) {
    const run = await (SCENARIOS[name] as (typeof SCENARIOS)[string])(recording);
    const history = await showHistory(servers.address, typeof run === "string" ? { workflowId: run } : run);
    await writeFile(join(HISTORIES, `${name}.json`), `${JSON.stringify(history, undefined, 1)}\n`);
    process.stdout.write(`${name}: ${history.events.length} events\n`);
  }
  if (names.length === Object.keys(SCENARIOS).length) await removeForgotten(new Set(names));
  await workers.stop();
  await Promise.all([ledger.close(), database.close()]);
  await link.close();
}

// By the command that the README gives to operators, so that the test replays what they will bring.
async function showHistory(
  address: string,
  { workflowId, runId }: { readonly workflowId: string; readonly runId?: string },
): Promise<{ events: unknown[] }> {
  const { path } = await findTemporalBinary({ dataDir: tmpdir(), cacheDir: CACHE_DIR, ephemeral: true, report: () => {} });
  const { stdout } = await promisify(execFile)(
    path,
    [
      "workflow",
      "show",
      "--address",
      address,
      "--workflow-id",
      workflowId,
      "--output",
      "json",
      ...(runId === undefined ? [] : ["--run-id", runId]),
    ],
    {
      maxBuffer: 16 * 1024 * 1024,
    },
  );
  // Stack traces name folders of this machine, and no replay looks at them.
  return JSON.parse(stdout, (key, value: unknown) => (key === "stackTrace" ? "" : value)) as { events: unknown[] };
}

// A history whose scenario is gone would be replayed for ever without anyone knowing what it stands for.
async function removeForgotten(names: ReadonlySet<string>): Promise<void> {
  for (const file of await readdir(HISTORIES))
    if (file.endsWith(".json") && !names.has(file.slice(0, -".json".length))) await rm(join(HISTORIES, file));
}

function fickleReceiver(): { port: WebhookPort; fail: (count: number) => void } {
  let left = 0;
  const port: WebhookPort = {
    openSecret: () => "whsec_recording",
    async send() {
      left -= 1;
      return { status: left < 0 ? 204 : 503, error: undefined };
    },
  };
  return { port, fail: (count) => void (left = count) };
}

function losesCaptures(ledger: Ledger): { ledger: Ledger; lose: (count: number) => void; payInSteps: (inSteps: boolean) => void } {
  let left = 0;
  let inSteps = false;
  const post: Ledger["post"] = async (operation) => {
    if (operation.kind !== "capture" || left === 0) return ledger.post(operation);
    left -= 1;
    throw new DomainError("UNAVAILABLE", "lost for the recording");
  };
  const postPair: Ledger["postPair"] = async (pair) => {
    if (!inSteps && left === 0) return ledger.postPair(pair);
    throw new DomainError("UNAVAILABLE", "lost for the recording");
  };
  return { ledger: { ...ledger, post, postPair }, lose: (count) => void (left = count), payInSteps: (wanted) => void (inSteps = wanted) };
}
