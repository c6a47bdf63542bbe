import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { ensureSigningKey } from "../src/adapters/tokens/signing-keys.ts";
import { PROJECT_DIR, ROLE_ENTRIES } from "../src/cli/start/role-entries.ts";
import { freePort } from "../src/stack/free-port.ts";

const folder = mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-production-`));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ENTRIES = {
  ...ROLE_ENTRIES,
  migrate: join(PROJECT_DIR, "src/cli/migrate.ts"),
  start: join(PROJECT_DIR, "src/cli/start.ts"),
  codec: join(PROJECT_DIR, "workers/codec-server.ts"),
};
type Entry = keyof typeof ENTRIES;

/** A production that nothing is to be said against. Nothing listens at its addresses. */
const GOOD = {
  NODE_ENV: "production",
  DATABASE_URL: "postgres://saldo:b5c0f9f1d2@127.0.0.1:1/saldo",
  TEMPORAL_ADDRESS: "127.0.0.1:1",
  KAFKA_BROKERS: "127.0.0.1:1",
  PSP_URL: "https://psp.example",
  PSP_API_KEY: "0b1c7f8e5d4a39261807",
  HTTP_HOST: "0.0.0.0",
  TRUSTED_PROXIES: "10.0.0.0/8",
  SERVER_URL: "https://pay.example",
};

/** Runs an entry until it ends, or until it has said a word that `says` finds; then it is stopped. */
function run(entry: Entry, environment: Record<string, string>, says = /^$/): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", ENTRIES[entry]], {
    cwd: PROJECT_DIR,
    env: { PATH: process.env["PATH"], HOME: folder, DATA_DIR: join(folder, "data"), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // A role that was not refused would go on.
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  const collect = (chunk: Buffer) => {
    output += chunk.toString("utf8");
    if (says.test(output)) child.kill("SIGKILL");
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  return new Promise((resolve) => void child.once("close", (code) => resolve({ code, output })));
}

const problemsIn = (output: string) => [...output.matchAll(/(?:\\n|\n) {2}([A-Z_]+): /g)].map(([, variable]) => variable);

test.each<[Entry, Record<string, string>, string, RegExp]>([
  ["api", { PSP_URL: "", PSP_API_KEY: "" }, "PSP_KIND", /give PSP_URL and PSP_API_KEY, or PSP_KIND=stripe, or PSP_KIND=simulator/],
  ["worker", { PSP_URL: "", PSP_API_KEY: "" }, "PSP_KIND", /never the default in production/],
  ["bridge", { PSP_URL: "", PSP_API_KEY: "" }, "PSP_KIND", /never the default in production/],
  ["start", { PSP_URL: "", PSP_API_KEY: "" }, "PSP_KIND", /never the default in production/],
  ["psp", { PSP_URL: "" }, "PSP_KIND", /must be simulator/],
  ["worker", { PSP_URL: "http://psp:8090" }, "PSP_URL", /must be https in production/],
  ["api", { PSP_API_KEY: "change-me-payment-provider" }, "PSP_API_KEY", /openssl rand/],
  ["relay", { DATABASE_URL: "postgres://saldo:change-me-saldo@db/saldo" }, "DATABASE_URL", /openssl rand/],
  ["migrate", { DATABASE_ADMIN_URL: "postgres://postgres:change-me-postgres@db/saldo" }, "DATABASE_ADMIN_URL", /openssl rand/],
  ["migrate", { TEMPORAL_DB_PASSWORD: "change-me-temporal" }, "TEMPORAL_DB_PASSWORD", /openssl rand/],
  ["codec", { DATABASE_URL: "postgres://saldo:change-me-saldo@db/saldo" }, "DATABASE_URL", /openssl rand/],
  ["api", { METRICS_TOKEN: "at-least-16-characters" }, "METRICS_TOKEN", /openssl rand/],
  [
    "api",
    { WEBHOOK_ENCRYPTION_SECRET: "change-me-".padEnd(43, "A") },
    "WEBHOOK_ENCRYPTION_SECRET",
    /an example: .*openssl rand -base64 32/,
  ],
  ["api", { WEBHOOK_ENCRYPTION_SECRET: Buffer.alloc(32).toString("base64") }, "WEBHOOK_ENCRYPTION_SECRET", /openssl rand -base64 32/],
  ["api", { AUTH_MODE: "off", HTTP_HOST: "127.0.0.1" }, "AUTH_MODE", /leave it out/],
  ["api", { AUTH_MODE: "off" }, "AUTH_MODE", /leave it out/],
  ["codec", { AUTH_MODE: "off" }, "AUTH_MODE", /leave it out/],
  ["codec", { DATABASE_URL: "postgres://saldo:change-me-saldo@db/saldo" }, "DATABASE_URL", /openssl rand/],
  ["codec", { CODEC_ORIGIN: "http://temporal.example" }, "CODEC_ORIGIN", /must be https in production/],
  ["api", { TRUSTED_PROXIES: "" }, "HTTP_HOST", /HTTP_TLS_CERT and HTTP_TLS_KEY/],
  ["api", { TRUSTED_PROXIES: "10.0.0.0/8, ::/0" }, "TRUSTED_PROXIES", /X-Forwarded-For/],
  ["api", { TRUSTED_PROXIES: " , " }, "HTTP_HOST", /HTTP_TLS_CERT and HTTP_TLS_KEY/],
  ["api", { SERVER_URL: "pay.example" }, "SERVER_URL", /https:\/\//],
])("a production's %s refuses the weak default %j, names %s and the mend", async (entry, weak, variable, mend) => {
  const { code, output } = await run(entry, { ...GOOD, ...weak });
  expect(code).toBe(1);
  expect(output).toContain("The configuration has 1 problem");
  expect(output).toMatch(new RegExp(`${variable}: `));
  expect(output).toMatch(mend);
  expect(output).not.toMatch(/change-me-/);
});

test("all weak defaults of a production stand in one list, with what cannot be read", async () => {
  const { code, output } = await run("api", {
    NODE_ENV: "production",
    DATABASE_URL: "postgres://saldo:change-me-saldo@postgres/saldo",
    HTTP_HOST: "0.0.0.0",
    AUTH_MODE: "off",
    HTTP_PORT: "many",
  });
  expect(code).toBe(1);
  expect(problemsIn(output).toSorted((a = "", b = "") => a.localeCompare(b))).toEqual(
    ["AUTH_MODE", "DATABASE_URL", "HTTP_HOST", "HTTP_PORT", "PSP_KIND"].toSorted(),
  );
});

test("the same weak defaults start a role where it is no production", async () => {
  const weak = {
    ...GOOD,
    NODE_ENV: "development",
    DATABASE_URL: "postgres://saldo:change-me-saldo@127.0.0.1:1/saldo",
    PSP_URL: "",
    PSP_API_KEY: "",
  };
  const ports = { HTTP_PORT: String(await freePort()), PURCHASES_PORT: String(await freePort()), HTTP_HOST: "127.0.0.1" };
  expect((await run("api", { ...weak, ...ports }, /api\.listening/)).output).toContain("api.listening");
});

test("a production without a weak default starts, and one that plays its provider by name", async () => {
  const ports = { HTTP_PORT: String(await freePort()), PURCHASES_PORT: String(await freePort()) };
  expect((await run("api", { ...GOOD, ...ports, AUTH_KEYS_DIR: await keysDir() }, /api\.listening/)).output).toContain("api.listening");
  const played = { NODE_ENV: "production", PSP_KIND: "simulator", PSP_API_KEY: GOOD.PSP_API_KEY, PSP_PORT: String(await freePort()) };
  expect((await run("psp", played, /psp\.listening/)).output).toContain("psp.listening");
});

async function keysDir(): Promise<string> {
  const directory = join(folder, "keys");
  await ensureSigningKey(directory);
  return directory;
}
