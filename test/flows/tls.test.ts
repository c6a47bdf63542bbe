import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { mintToken } from "../../src/cli/kit/operator-token.ts";
import { placeCheckOrder } from "../../src/cli/start/check-order.ts";
import { PROJECT_DIR, ROLE_ENTRIES } from "../../src/cli/start/role-entries.ts";
import { createStartSteps } from "../../src/cli/start/start-steps.ts";
import { startSystem, type System } from "../../src/cli/start/system.ts";
import { inheritedEnvironment, loadConfig } from "../../src/config.ts";
import { freePort } from "../../src/stack/free-port.ts";
import { hasTemporalServer } from "../../src/stack/servers/secured-temporal.ts";
import { startStack, type Stack } from "../../src/stack/stack.ts";
import { FAULTS, makeCertificates, startSecuredStack, variablesOf, type Certificates, type Fault } from "../support/secured-stack.ts";
import { until } from "../support/until.ts";

const SERVERS = ["postgres", "temporal", "kafka", "redis"] as const;
type Server = (typeof SERVERS)[number];

const cacheDir = inject("cacheDir");
/** Temporal's dev server has no TLS; the whole server is built by Go, which takes minutes once. CI asks for it. */
const hasTemporal = hasTemporalServer(cacheDir) || process.env["SALDO_BUILD_TEMPORAL_SERVER"] === "1";
if (!hasTemporal)
  console.warn(
    "Temporal with TLS is not tested: its server is not built, and SALDO_BUILD_TEMPORAL_SERVER=1 is not set to build it (minutes).",
  );

const FREE_PORTS = ["HTTP", "PURCHASES", "PSP", "POSTGRES", "TEMPORAL", "TEMPORAL_UI", "KAFKA", "REDIS"];
const BUILD_TIMEOUT_MS = 1_500_000;
const PATIENCE_MS = 120_000;

let folder: string;
let certificates: Certificates;
let stack: Stack;
let plainTemporal: Stack | undefined;
let system: System | undefined;
const children: ChildProcess[] = [];

function settings(fault?: { server: Server; fault: Fault } | Fault): Record<string, string> {
  const good = variablesOf(stack, certificates);
  const bad = fault === undefined ? good : variablesOf(stack, certificates, typeof fault === "string" ? fault : fault.fault);
  const prefix = { postgres: "DATABASE", temporal: "TEMPORAL", kafka: "KAFKA", redis: "REDIS" } as const;
  const isOf = (name: string) => fault === undefined || typeof fault === "string" || name.startsWith(`${prefix[fault.server]}_`);
  const names = new Set([...Object.keys(good), ...Object.keys(bad)]);
  const chosen = [...names].map((name) => [name, isOf(name) ? bad[name] : good[name]] as const);
  return {
    ...Object.fromEntries(FREE_PORTS.map((name) => [`${name}_PORT`, "0"])),
    ...(plainTemporal?.temporal === undefined ? {} : { TEMPORAL_ADDRESS: plainTemporal.temporal.address }),
    ...Object.fromEntries(chosen.filter((entry): entry is [string, string] => entry[1] !== undefined)),
    DATA_DIR: join(folder, "data"),
    CACHE_DIR: cacheDir,
  };
}

function child(
  args: readonly string[],
  environment: Record<string, string>,
): { process: ChildProcess; output: () => string; ended: Promise<number | null> } {
  const spawned = spawn(process.execPath, ["--import", "tsx", ...args], {
    cwd: PROJECT_DIR,
    env: { ...inheritedEnvironment(), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(spawned);
  let text = "";
  for (const stream of [spawned.stdout, spawned.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { process: spawned, output: () => text, ended: new Promise((resolve) => spawned.once("exit", resolve)) };
}

/** Runs a command of Saldo to its end. */
async function command(
  path: string,
  args: readonly string[] = [],
  more: Record<string, string> = {},
): Promise<{ code: number | null; output: string }> {
  const { output, ended } = child([path, ...args], { ...settings(), ...more });
  return { code: await ended, output: output() };
}

/** Temporal by a profile of its own tools, and by none of its variables. */
function temporalByProfile(): Record<string, string> {
  const { ca, cert, key } = certificates.filesOf();
  const path = join(folder, "temporal.toml");
  const tls = `server_ca_cert_path = "${ca}"\nclient_cert_path = "${cert}"\nclient_key_path = "${key}"\n`;
  writeFileSync(path, `[profile.own]\naddress = "${stack.temporal?.address}"\nnamespace = "default"\n[profile.own.tls]\n${tls}`);
  const blank = Object.keys(settings()).filter((name) => name === "TEMPORAL_ADDRESS" || name.startsWith("TEMPORAL_TLS"));
  return { ...Object.fromEntries(blank.map((name) => [name, ""])), TEMPORAL_CONFIG_FILE: path, TEMPORAL_PROFILE: "own" };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saldo-tls-"));
  certificates = await makeCertificates(join(folder, "certificates"));
  const servers = hasTemporal ? SERVERS : (["postgres", "kafka", "redis"] as const);
  stack = await startSecuredStack({ certificates, servers, dataDir: folder, cacheDir });
  if (!hasTemporal)
    plainTemporal = await startStack({
      servers: ["temporal"],
      required: ["temporal"],
      dataDir: join(folder, "temporal"),
      cacheDir,
      ephemeral: true,
      ports: "free",
    });
  const own = settings();
  const config = loadConfig(own, folder);
  system = await startSystem({
    config,
    environment: { ...inheritedEnvironment(), ...own },
    ephemeral: false,
    entries: ROLE_ENTRIES,
    steps: createStartSteps(config),
  });
}, BUILD_TIMEOUT_MS);

afterAll(async () => {
  for (const { exitCode, signalCode, pid } of children)
    if (exitCode === null && signalCode === null && pid !== undefined) process.kill(pid, "SIGKILL");
  await system?.stop();
  await stack?.stop();
  await plainTemporal?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(method: string, path: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const config = loadConfig(settings(), folder);
  const { token } = await mintToken(config, { subject: "test", roles: ["admin", "service"], ttlMs: 600_000 }, system?.running.keysDir);
  const response = await fetch(`${system?.running.apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": randomUUID(), prefer: "wait=10" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("the whole system over TLS, with a certificate of its own to each server", () => {
  it("is ready, and each server answers", async () => {
    const { status, body } = await ask("GET", "/readyz");
    expect(status).toBe(200);
    expect((body["parts"] as { name: string; ok: boolean }[]).map(({ name, ok }) => [name, ok])).toEqual([
      ["postgres", true],
      ["temporal", true],
      ["redis", true],
      ["kafka", true],
      ["psp", true],
    ]);
  });

  it("takes an order to its end", async () => {
    const { token } = await mintToken(
      loadConfig(settings(), folder),
      { subject: "test", roles: ["admin", "service"], ttlMs: 600_000 },
      system?.running.keysDir,
    );
    const { orderId } = await placeCheckOrder(system?.running.apiUrl ?? "", "RUB", token);
    expect(orderId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("reserves money and confirms it", async () => {
    await ask("POST", "/api/v1/services", { services: [{ id: "seat", name: "Seat" }] });
    await ask("POST", "/api/v1/balances/tls-user/deposits", { amount: "50.00" });
    const reservation = { userId: "tls-user", serviceId: "seat", orderId: "7", amount: "20.00", ttlSeconds: 600 };
    const held = await ask("POST", "/api/v1/reservations", reservation);
    expect(held).toMatchObject({ status: 201, body: { status: "held" } });
    const confirmed = await ask("POST", `/api/v1/reservations/${String(held.body["reservationId"])}/confirm`, {});
    expect(confirmed).toMatchObject({ status: 200, body: { status: "confirmed" } });
  });

  it(
    "imports purchases by Kafka, reports them, and the books are right; each command speaks TLS by itself",
    { timeout: 600_000 },
    async () => {
      const imported = await command("src/cli/import.ts", ["test/data/purchases-sample.csv", "--json"]);
      expect(imported, imported.output).toMatchObject({ code: 0 });
      expect(JSON.parse(imported.output.slice(imported.output.indexOf("{")))).toMatchObject({ applied: expect.any(Number) });
      const report = await command("src/cli/report.ts", ["--all", "--json"]);
      expect(report, report.output).toMatchObject({ code: 0 });
      const topics = await command("src/cli/topics.ts", ["list", "--json"]);
      expect(topics, topics.output).toMatchObject({ code: 0 });
      const produced = await command("src/cli/produce.ts", ["--topic", "purchases", "--rate", "5", "--seconds", "1", "--json"]);
      expect(produced, produced.output).toMatchObject({ code: 0 });
      const audit = await command("src/cli/audit.ts");
      expect(audit, audit.output).toMatchObject({ code: 0 });
      const migrated = await command("src/cli/migrate.ts");
      expect(migrated, migrated.output).toMatchObject({ code: 0, output: expect.stringContaining("Schedules: ready") });
      if (hasTemporal) {
        const byProfile = await command("src/cli/migrate.ts", [], temporalByProfile());
        expect(byProfile, byProfile.output).toMatchObject({ code: 0, output: expect.stringContaining("Schedules: ready") });
      }
      const doctor = await command("src/cli/doctor.ts", ["--json"]);
      expect(doctor.output).toMatch(/TLS of Kafka[^}]*checked; our certificate ends on/);
      // It reads how workflows are kept, which here is in the open.
      const kept = await command("src/cli/payload-keys.ts", ["check", "--json"]);
      expect(kept, kept.output).toMatchObject({ code: 1, output: expect.stringMatching(/"workflows":[1-9]/) });
      const leaks = await command("src/cli/leak-scan.ts", ["--text", "no-such-text-anywhere"]);
      expect(leaks, leaks.output).toMatchObject({ code: 0, output: expect.not.stringContaining("could not be searched") });
    },
  );

  it("writes no password and no key into a log", () => {
    const key = readFileSync(certificates.client.key, "utf8").split("\n")[1] ?? "none";
    const password = new URL(stack.postgres?.appUrl ?? "").password;
    for (const role of ["api", "worker", "bridge", "relay"]) {
      const log = readFileSync(join(system?.running.logDir ?? "", `${role}.log`), "utf8");
      expect(log).not.toContain(key);
      expect(log).not.toContain(password);
    }
  });
});

const TITLES = { postgres: "Postgres", temporal: "Temporal", kafka: "Kafka", redis: "Redis" } as const;
const REASONS: Record<Fault, RegExp> = {
  "no certificate": /asks for a client certificate.*_TLS_CERT/,
  "wrong authority": /its certificate is not signed by an authority of [A-Z]+_TLS_CA/,
  expired: /the certificate of [A-Z]+_TLS_CERT has expired on 2024-02-01/,
  "wrong name": /its certificate is for another name.*localhost.*[A-Z]+_TLS_SERVER_NAME/,
};
const CELLS = SERVERS.flatMap((server) => FAULTS.map((fault) => ({ server, fault })));

// A role and a command are a process each: on a busy machine their start alone takes half a minute.
describe("a fault of a certificate", { timeout: 600_000 }, () => {
  it.for(CELLS)("$server, $fault: the start is refused with the server and the reason", async ({ server, fault }, { skip }) => {
    if (server === "temporal" && !hasTemporal) skip();
    const own = { ...settings({ server, fault }), DATA_DIR: join(folder, `start-${server}`) };
    const config = loadConfig(own, folder);
    const steps = {
      migrate: async () => ({ applied: 0 }),
      buildWorkflowBundle: async () => "",
      compileRoles: async () => ROLE_ENTRIES,
      ensureTopics: async () => undefined,
      ensureSchedules: async () => undefined,
      ensureSigningKey: async () => ({ made: false }),
    };
    const starting = startSystem({ config, environment: own, ephemeral: true, entries: ROLE_ENTRIES, steps });
    await expect(starting).rejects.toMatchObject({
      code: "ADDRESS_UNREACHABLE",
      message: expect.stringMatching(new RegExp(`^${TITLES[server]} at 127\\.0\\.0\\.1:\\d+ \\([A-Z_]+\\) cannot be spoken to over TLS: `)),
    });
    await expect(starting).rejects.toThrow(REASONS[fault]);
  });

  it("ends `npm start` with 1 and the sentence", async () => {
    const { code, output } = await command("src/cli/start.ts", ["--ephemeral"], {
      ...settings({ server: "kafka", fault: "wrong authority" }),
      DATA_DIR: join(folder, "start"),
    });
    expect(output).toMatch(/Kafka at 127\.0\.0\.1:\d+ \(KAFKA_BROKERS\) cannot be spoken to over TLS: its certificate is not signed/);
    expect(code).toBe(1);
  });

  it.for(FAULTS)("%s: a role that runs keeps trying, and /readyz says why of each server", async (fault) => {
    const { api, partsOf } = await startApi(settings(fault));
    const names = SERVERS.filter((server) => server !== "temporal" || hasTemporal);
    for (const name of names)
      await until(`/readyz says why of ${name}`, async () => REASONS[fault].test((await partsOf())[name]?.reason ?? ""), PATIENCE_MS);
    expect(api.process.exitCode).toBeNull();
    api.process.kill("SIGKILL");
    await api.ended;
  });

  it("is over when the certificate on disk is a good one: a role that waits takes it without a restart", async () => {
    const own = { ca: certificates.ca.ca, cert: join(folder, "renewed.pem"), key: join(folder, "renewed.key") };
    const expired = certificates.filesOf("expired");
    copyFileSync(expired.cert ?? "", own.cert);
    copyFileSync(expired.key ?? "", own.key);
    const files = Object.fromEntries(
      Object.keys(settings())
        .filter((name) => /_TLS_(?:CERT|KEY)$/.test(name))
        .map((name) => [name, name.endsWith("KEY") ? own.key : own.cert]),
    );
    const { api, partsOf } = await startApi({ ...settings(), ...files });
    await until("Postgres is refused", async () => /expired/.test((await partsOf())["postgres"]?.reason ?? ""), PATIENCE_MS);
    copyFileSync(certificates.client.key, own.key);
    copyFileSync(certificates.client.cert, own.cert);
    for (const name of SERVERS) await until(`${name} answers`, async () => (await partsOf())[name]?.ok === true, PATIENCE_MS);
    api.process.kill("SIGKILL");
    await api.ended;
  });
});

interface Part {
  readonly name: string;
  readonly ok: boolean;
  readonly reason?: string;
}

async function startApi(environment: Record<string, string>) {
  const port = await freePort();
  const api = child([ROLE_ENTRIES.api], {
    ...environment,
    HTTP_PORT: String(port),
    PURCHASES_PORT: String(await freePort()),
    AUTH_KEYS_DIR: join(folder, "data", "keys"),
    LOG_LEVEL: "warn",
    WORKFLOW_BUNDLE_PATH: "",
  });
  const partsOf = async (): Promise<Record<string, Part>> => {
    if (api.process.exitCode !== null) throw new Error(`the role ended: ${api.output()}`);
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    const { parts = [] } = response === undefined ? {} : ((await response.json()) as { parts?: Part[] });
    return Object.fromEntries(parts.map((part) => [part.name, part]));
  };
  return { api, partsOf };
}
