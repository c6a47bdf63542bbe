import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { until } from "../../../test/support/until.ts";
import { inheritedEnvironment, loadConfig, type Config } from "../../config.ts";
import { isPortFree, parseAddress } from "../../stack/free-port.ts";
import type { RoleEvent } from "../../stack/processes/supervisor.ts";
import { readRunning } from "../../stack/running.ts";
import { startSystem, type System, type SystemOptions } from "./system.ts";
import type { ChecklistLine } from "./terminal-checklist.ts";

const ABORTED = fileURLToPath(new URL("../../base/aborted.ts", import.meta.url));
const ROLE = fileURLToPath(new URL("../../../workers/parts/run-role.ts", import.meta.url));
const API = `
import { createServer } from "node:http";
import { runRole } from ${JSON.stringify(ROLE)};
import { untilAborted } from ${JSON.stringify(ABORTED)};
await runRole("api", async ({ signal, ready }) => {
  const server = createServer((request, response) => response.end(JSON.stringify({ ...process.env })));
  server.listen(Number(process.env.HTTP_PORT), "127.0.0.1", ready);
  await untilAborted(signal);
  console.log("stopped api at", Date.now());
});`;
const WORK = `
import { runRole } from ${JSON.stringify(ROLE)};
import { untilAborted } from ${JSON.stringify(ABORTED)};
await runRole("role", async ({ signal, ready }) => {
  ready();
  await untilAborted(signal);
  console.log("stopped at", Date.now());
});`;

let directory: string;
let system: System | undefined;
let lines: ChecklistLine[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "saldo-system-"));
  system = undefined;
  lines = [];
});

afterEach(async () => {
  await system?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function config(overrides: Record<string, string> = {}): Config {
  const free = {
    HTTP_PORT: "0",
    PURCHASES_PORT: "0",
    PSP_PORT: "0",
    POSTGRES_PORT: "0",
    TEMPORAL_PORT: "0",
    TEMPORAL_UI_PORT: "0",
    KAFKA_PORT: "0",
    REDIS_PORT: "0",
  };
  return loadConfig({ DATA_DIR: join(directory, "data"), CACHE_DIR: inject("cacheDir"), ...free, ...overrides }, directory);
}

function script(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function start(overrides: Partial<SystemOptions> = {}): Promise<System> {
  const work = script("work.mts", WORK);
  return startSystem({
    config: config(),
    environment: { ...inheritedEnvironment(), DATABASE_ADMIN_URL: "postgres://must:not@be/passed" },
    ephemeral: true,
    entries: { api: script("api.mts", API), worker: work, bridge: work, relay: work, psp: work },
    steps: {
      migrate: async () => ({ applied: 3 }),
      buildWorkflowBundle: async () => join(directory, "bundle.js"),
      compileRoles: async (entries) => entries,
      ensureTopics: async () => undefined,
      ensureSchedules: async () => undefined,
      ensureSigningKey: async () => ({ made: false }),
    },
    onStep: (line) => lines.push(line),
    ...overrides,
  });
}

async function listeningPorts(ports: readonly number[]): Promise<number[]> {
  const free = await Promise.all(ports.map(isPortFree));
  return ports.filter((_port, index) => free[index] === false);
}

test("every server and a process for each role come up, the roles know every address but the superuser's, and stop leaves no process and no port", async () => {
  system = await start();
  const { running } = system;
  const seenByApi = (await (await fetch(running.apiUrl)).json()) as Record<string, string>;
  expect(seenByApi).toMatchObject({
    DATABASE_URL: running.databaseUrl,
    TEMPORAL_ADDRESS: running.temporalAddress,
    KAFKA_BROKERS: running.kafkaBrokers?.[0],
    REDIS_URL: running.redisUrl,
    PSP_URL: running.pspUrl,
    PSP_API_KEY: running.pspApiKey,
    WORKFLOW_BUNDLE_PATH: join(directory, "bundle.js"),
  });
  expect(seenByApi).not.toHaveProperty("DATABASE_ADMIN_URL");
  expect(running.roles.map((role) => role.name)).toEqual(["psp", "worker", "api", "bridge", "relay"]);
  expect(lines.find((line) => line.title === "Migrations" && line.state === "done")?.detail).toBe("3 applied");

  const note = readRunning(join(directory, "data"));
  expect(note).toMatchObject({ pid: process.pid, apiUrl: running.apiUrl, databaseUrl: running.databaseUrl });
  expect(statSync(join(directory, "data", "running.json")).mode & 0o077).toBe(0);

  const pids = readdirSync(join(system.stack.dataDir, "pids"));
  expect(pids.sort()).toEqual([
    "api.json",
    "bridge.json",
    "kafka.json",
    "postgres.json",
    "psp.json",
    "redis.json",
    "relay.json",
    "temporal.json",
    "worker.json",
  ]);
  const addresses = [
    running.apiUrl,
    running.databaseUrl,
    running.temporalAddress,
    running.redisUrl ?? "",
    running.kafkaBrokers?.[0] ?? "",
    running.temporalUiUrl ?? "",
  ];
  const ports = addresses.map((address) => parseAddress(address, 0).port);
  expect(await listeningPorts(ports)).toEqual(ports);

  await system.stop();
  await system.stop();
  expect(await listeningPorts(ports)).toEqual([]);
  for (const { pid = 0 } of running.roles) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  expect(readRunning(join(directory, "data"))).toBeUndefined();
});

test("the note of what runs names the process of a role that was started again, and stays away after the stop", async () => {
  const events: RoleEvent[] = [];
  system = await start({ config: config(), onRoleEvent: (event) => events.push(event) });
  const workerOf = () => readRunning(join(directory, "data"))?.roles.find((role) => role.name === "worker")?.pid;
  const first = workerOf() ?? 0;
  process.kill(first, "SIGKILL");
  await until("the worker runs again", () => events.some((event) => event.role === "worker" && event.state === "ready"));
  expect(workerOf()).not.toBe(first);
  expect(() => process.kill(workerOf() ?? 0, 0)).not.toThrow();
  await system.stop();
  expect(readRunning(join(directory, "data"))).toBeUndefined();
});

test("the roles that take work in stop before those that do it", async () => {
  const persistent = config();
  system = await start({ ephemeral: false, config: persistent });
  const { logDir } = system.running;
  await system.stop();
  const stoppedAtMs = (role: string) => Number(/at (\d+)/.exec(readFileSync(join(logDir, `${role}.log`), "utf8"))?.[1]);
  for (const intake of ["api", "bridge"])
    for (const doer of ["worker", "relay"]) expect(stoppedAtMs(intake)).toBeLessThan(stoppedAtMs(doer));
  for (const doer of ["worker", "relay"]) expect(stoppedAtMs(doer)).toBeLessThan(stoppedAtMs("psp"));
});

test("a taken port is said at once with the variable that sets it, and nothing is left", async () => {
  const taken = await new Promise<Server>((resolve) => {
    const server: Server = createServer().listen(0, "127.0.0.1", () => resolve(server));
  });
  const address = taken.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  await expect(start({ config: config({ PURCHASES_PORT: String(port) }) })).rejects.toMatchObject({
    code: "PORT_TAKEN",
    message: `Port ${port} for the purchases API is taken by another process; stop it, or choose another port with PURCHASES_PORT.`,
  });
  taken.close();
  expect(lines.some((line) => line.title === "Postgres")).toBe(false);
});

test("a wrong address is an error that names the variable, and what had been started is stopped", async () => {
  await expect(start({ config: config({ REDIS_URL: "redis://127.0.0.1:9" }) })).rejects.toMatchObject({
    code: "ADDRESS_UNREACHABLE",
    message: "Redis does not answer at 127.0.0.1:9 (REDIS_URL).",
  });
  expect(readdirSync(tmpdir()).filter((name) => name === `saldo-ephemeral-${process.pid}`)).toEqual([]);
});

test("a role that cannot start ends the start with its own words, and what had been started is stopped", async () => {
  const work = script("work.mts", WORK);
  const broken = script("broken.mts", `throw new Error("BRIDGE_STALL_MS: too small");`);
  const failing = start({ entries: { api: script("api.mts", API), worker: work, bridge: broken, relay: work, psp: work } });
  await expect(failing).rejects.toMatchObject({ code: "SERVER_FAILED", message: expect.stringContaining("BRIDGE_STALL_MS: too small") });
  const ports = lines
    .filter((line) => line.state === "done")
    .flatMap((line) => /port (\d+)/.exec(line.detail)?.slice(1) ?? [])
    .map(Number);
  expect(ports).toHaveLength(4);
  expect(await listeningPorts(ports)).toEqual([]);
});

test("without Kafka the bridge and the relay are not started, and it says so", async () => {
  const broken = join(directory, "no-java");
  system = await start({ config: config({ CACHE_DIR: cacheWithoutKafka(broken) }) });
  expect(system.running.roles.map((role) => role.name)).toEqual(["psp", "worker", "api"]);
  expect(system.notStarted).toEqual([
    "Without Kafka the roles bridge and relay are not started: events are not read, and those to publish wait in the outbox.",
  ]);
  expect(system.stack.missing.map((missing) => missing.server)).toEqual(["kafka"]);
});

// A cache that holds the other servers and a Kafka whose jars are gone.
function cacheWithoutKafka(cacheDir: string): string {
  const real = inject("cacheDir");
  mkdirSync(cacheDir, { recursive: true });
  for (const name of readdirSync(real))
    if (!name.startsWith("kafka-") && !name.endsWith(".lock")) symlinkSync(join(real, name), join(cacheDir, name));
  mkdirSync(join(cacheDir, "kafka-4.1.1", "jars"), { recursive: true });
  return cacheDir;
}
