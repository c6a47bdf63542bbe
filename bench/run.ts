import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { messageOf } from "../src/base/errors.ts";
import { ROLE_ENTRIES } from "../src/cli/start/roles.ts";
import { createStartSteps } from "../src/cli/start/start-steps.ts";
import { startSystem, type System } from "../src/cli/start/system.ts";
import { inheritedEnvironment, loadConfig } from "../src/config.ts";
import { freePort } from "../src/stack/free-port.ts";
import { startStack } from "../src/stack/stack.ts";
import { measureEventRows, type EventSystem } from "./event-rows.ts";
import { measureLedgerRows, type Plan } from "./ledger-rows.ts";
import { measureOrderRows } from "./order-rows.ts";
import { meetsGoal, renderTable, type Row } from "./row.ts";

const LEDGER_ROWS = ["transfers", "hot-transfers"];
const EVENT_ROWS = ["events"];
const ORDER_ROWS = ["orders", "order-latency"];
const RESULTS = fileURLToPath(new URL("results/", import.meta.url));
/** Enough rounds that a single disturbed round does not decide, and short enough to be run often. */
const QUICK = { rounds: 5, durationMs: 1_500 };
const FULL = { rounds: 11, durationMs: 5_000 };

const USAGE = `npm run bench [-- options]

Measures Saldo against a baseline in the same run. Absolute figures mean nothing on a shared machine; the ratio does.
Fails on a wrong result, never on a slow one.

  --quick       less than three minutes
  --only NAME   one row: ${[...LEDGER_ROWS, ...EVENT_ROWS, ...ORDER_ROWS].join(", ")}
  --json        print JSON instead of a table
  --help        print this
`;

interface Options {
  readonly quick: boolean;
  readonly json: boolean;
  readonly only?: string | undefined;
}

process.exit(await main());

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        only: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) process.stdout.write(USAGE);
    else await run(values);
    return 0;
  } catch (error) {
    process.stderr.write(`The benchmark failed: ${messageOf(error)}\n`);
    return 1;
  }
}

async function run(options: Options): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const rows = await measure(options, stop.signal);
  const result = { measuredAt: new Date().toISOString(), rows: rows.map((row) => ({ ...row, met: meetsGoal(row) })) };
  mkdirSync(RESULTS, { recursive: true });
  const path = join(RESULTS, `${result.measuredAt.replaceAll(":", "-")}.json`);
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(
    options.json
      ? `${JSON.stringify(result)}\n`
      : `\n${renderTable(rows)}\n\nratio: median of the rounds' own ratios, Saldo / baseline. Written to ${path}\n`,
  );
}

async function measure(options: Options, signal: AbortSignal): Promise<Row[]> {
  const { only } = options;
  if (only !== undefined && ![...LEDGER_ROWS, ...EVENT_ROWS, ...ORDER_ROWS].includes(only)) throw new Error(`there is no row ${only}`);
  const wanted = (name: string) => only === undefined || only === name;
  const plan: Plan = { ...(options.quick ? QUICK : FULL), wanted, say: (text) => void process.stderr.write(`${text}\n`) };
  const rows: Row[] = [];
  if (LEDGER_ROWS.some(wanted)) rows.push(...(await untilStopped(signal, withPostgres(plan, signal))));
  if ([...EVENT_ROWS, ...ORDER_ROWS].some(wanted)) rows.push(...(await untilStopped(signal, withSystem(plan, signal))));
  return rows;
}

// An order to stop ends the measurement where it is. Each part then stops what it has started, in its own time.
async function untilStopped<Result>(signal: AbortSignal, part: { result: Promise<Result>; stop: () => Promise<void> }): Promise<Result> {
  const stopped = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
  });
  try {
    return await Promise.race([part.result, stopped]);
  } finally {
    await part.stop();
  }
}

function withPostgres(plan: Plan, signal: AbortSignal): { result: Promise<Row[]>; stop: () => Promise<void> } {
  const config = loadConfig(inheritedEnvironment());
  const stack = startStack({
    servers: ["postgres"],
    required: ["postgres"],
    dataDir: benchDir(),
    cacheDir: config.CACHE_DIR,
    ephemeral: true,
    ports: "free",
    signal,
  });
  const result = stack.then(({ postgres }) => {
    if (postgres === undefined) throw new Error("there is no Postgres");
    return measureLedgerRows(postgres, plan);
  });
  result.catch(() => undefined);
  return { result, stop: () => stack.then((started) => started.stop()).catch(() => undefined) };
}

function withSystem(plan: Plan, signal: AbortSignal): { result: Promise<Row[]>; stop: () => Promise<void> } {
  const system = startBenchSystem(plan, signal);
  const result = system.then(async ({ running, namespace, eventSystem }) => [
    // The events are measured first: the bridge installs the SDK's runtime, which must happen before its first use.
    ...(EVENT_ROWS.some(plan.wanted) ? await measureEventRows(eventSystem(), plan) : []),
    ...(ORDER_ROWS.some(plan.wanted) ? await measureOrderRows({ ...running, namespace }, plan) : []),
  ]);
  result.catch(() => undefined);
  return { result, stop: () => system.then((started) => started.stop()).catch(() => undefined) };
}

async function startBenchSystem(plan: Plan, signal: AbortSignal) {
  const ports = [
    "POSTGRES_PORT",
    "TEMPORAL_PORT",
    "TEMPORAL_UI_PORT",
    "KAFKA_PORT",
    "REDIS_PORT",
    "HTTP_PORT",
    "PURCHASES_PORT",
    "PSP_PORT",
  ];
  const chosen = Object.fromEntries(await Promise.all(ports.map(async (name) => [name, String(await freePort())] as const)));
  const environment = { ...inheritedEnvironment(), ...chosen, DATA_DIR: benchDir(), LOG_LEVEL: "warn" };
  const config = loadConfig(environment);
  plan.say("starting the whole system");
  const system = await startSystem({
    config,
    environment,
    ephemeral: true,
    entries: ROLE_ENTRIES,
    steps: createStartSteps(config),
    signal,
    onRoleEvent: (event) => plan.say(`role ${event.role} ${event.state} ${event.detail}`),
  });
  return {
    running: system.running,
    namespace: config.TEMPORAL_NAMESPACE,
    eventSystem: () => eventSystemOf(system.running, environment),
    stop: async () => {
      await system.stop();
      rmSync(benchDir(), { recursive: true, force: true });
    },
  };
}

function eventSystemOf(running: System["running"], environment: Readonly<Record<string, string | undefined>>): EventSystem {
  const { databaseUrl, databaseAdminUrl, temporalAddress, redisUrl, kafkaBrokers } = running;
  if (kafkaBrokers === undefined) throw new Error("there is no Kafka");
  const addresses = { DATABASE_URL: databaseUrl, TEMPORAL_ADDRESS: temporalAddress, REDIS_URL: redisUrl };
  const config = loadConfig({ ...environment, ...addresses });
  return { config, brokers: kafkaBrokers, appUrl: databaseUrl, adminUrl: databaseAdminUrl };
}

function benchDir(): string {
  return join(tmpdir(), `saldo-bench-${process.pid}`);
}
