import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { ROLE_ENTRIES } from "../../src/cli/start/role-entries.ts";
import { freePort } from "../../src/stack/free-port.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { roleSettings } from "../support/test-roles.ts";
import { until } from "../support/until.ts";

let folder: string;
let file: string;
let database: TestDatabase;
let relay: ChildProcess | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saldo-relay-keys-"));
  file = join(folder, "payload-keys");
  writeFileSync(file, `k1:${randomBytes(32).toString("base64")}\n`);
  database = await createTestDatabase();
});

afterEach(() => relay?.exitCode === null && relay.signalCode === null && relay.kill("SIGKILL"));

afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** A relay for which neither Kafka nor Temporal is there. */
async function start(): Promise<{ role: ChildProcess; output: () => string }> {
  const nobody = `127.0.0.1:${await freePort()}`;
  const servers = { databaseUrl: database.appUrl, temporalAddress: nobody, temporalNamespace: "default", kafkaBrokers: [nobody] };
  const settings = { TEMPORAL_PAYLOAD_KEYS_FILE: file, TEMPORAL_PAYLOAD_ENCRYPTION: "required", LOG_LEVEL: "info" };
  const role = spawn(process.execPath, ["--import", "tsx", ROLE_ENTRIES.relay], {
    env: roleSettings(servers, { dataDir: folder, settings }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  relay = role;
  let text = "";
  for (const stream of [role.stdout, role.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { role, output: () => text };
}

it("a relay whose payload keys cannot be used ends at its start and says why, as every role does", { timeout: 120_000 }, async () => {
  chmodSync(file, 0o644);
  const { role, output } = await start();
  await until("it ends", () => role.exitCode !== null);
  expect(role.exitCode).toBe(1);
  expect(output()).toMatch(/payload keys in .* cannot be used: every user of this machine may read it/);
});

it(
  "a relay whose keys become unusable while it waits for Temporal still does its other work and obeys an order to stop",
  { timeout: 180_000 },
  async () => {
    chmodSync(file, 0o400);
    const { role, output } = await start();
    await until("it waits for Temporal", () => output().includes('"temporal.away"'));
    chmodSync(file, 0o644);
    await until("it says why webhooks wait", () => /"temporal\.away".*every user of this machine/.test(output()));
    role.kill("SIGTERM");
    await until("it ends", () => role.exitCode !== null);
    expect(role.exitCode).toBe(0);
  },
);
