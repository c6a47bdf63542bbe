import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { openPayloadProtection, openReadingCodec } from "../../src/adapters/payload-codec/payload-protection.ts";
import { ensureSigningKey } from "../../src/adapters/tokens/signing-keys.ts";
import { mintToken } from "../../src/cli/kit/operator-token.ts";
import { replayHistories } from "../../src/cli/replay/replay-histories.ts";
import { PROJECT_DIR } from "../../src/cli/start/role-entries.ts";
import { inheritedEnvironment, loadConfig } from "../../src/config.ts";
import type { Role } from "../../src/contract/identity.ts";
import { reservationWorkflowId } from "../../src/contract/ids.ts";
import { canConnect, freePort } from "../../src/stack/free-port.ts";
import { findTemporalBinary } from "../../src/stack/servers/temporal-binary.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const SECRET = "a secret wish";
const keys = `k1:${randomBytes(32).toString("base64")}`;
const run = promisify(execFile);

let folder: string;
let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;
let server: ChildProcess;
let endpoint: string;
let temporal: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saldo-codec-server-"));
  database = await createTestDatabase();
  const protection = openPayloadProtection({
    TEMPORAL_PAYLOAD_ENCRYPTION: "required",
    TEMPORAL_PAYLOAD_KEYS: keys,
    TEMPORAL_PAYLOAD_KEYS_FILE: undefined,
  });
  workflows = await startTestWorkflows(database.appUrl, ["orders", "payments"], SILENT_LOG, undefined, undefined, { protection });
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters });
  await ensureSigningKey(join(folder, "keys"));
  const port = await freePort();
  endpoint = `http://127.0.0.1:${port}`;
  const environment = {
    DATABASE_URL: database.appUrl,
    DATA_DIR: folder,
    REDIS_URL: "",
    TEMPORAL_PAYLOAD_KEYS: keys,
    CODEC_PORT: String(port),
  };
  server = spawn(process.execPath, ["--import", "tsx", join(PROJECT_DIR, "workers/codec-server.ts")], {
    env: { ...inheritedEnvironment(), NODE_ENV: "production", ...environment },
    stdio: "ignore",
  });
  await until("the codec server listens", () => canConnect({ host: "127.0.0.1", port }, 500));
  const context = { cacheDir: inject("cacheDir"), report: () => undefined, signal: new AbortController().signal };
  temporal = (await findTemporalBinary(context as unknown as Parameters<typeof findTemporalBinary>[0])).path;
});

afterAll(async () => {
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  await ended;
  await api.close();
  await workflows.close();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const tokenOf = async (role: Role) => {
  const config = loadConfig({ DATA_DIR: folder }, "/nonexistent");
  return (await mintToken(config, { subject: `the-${role}`, roles: [role], ttlMs: 60_000 }, join(folder, "keys"))).token;
};

async function ask(args: readonly string[], token?: string): Promise<string> {
  const where = ["--address", inject("temporalAddress"), "--namespace", workflows.namespace];
  const codec = token === undefined ? [] : ["--codec-endpoint", endpoint, "--codec-auth", `Bearer ${token}`];
  const { stdout } = await run(temporal, [...args, ...where, ...codec], { maxBuffer: 64_000_000 });
  return stdout;
}

/** The output, and every text in it that is base64, decoded. */
function everyTextOf(output: string): string {
  return [
    output,
    ...[...output.matchAll(/"([A-Za-z0-9+/]{16,}={0,2})"/g)].map(([, text]) => Buffer.from(text ?? "", "base64").toString("latin1")),
  ].join("\n");
}

it("the temporal command line reads and writes through it with an admin's token, and not otherwise", async () => {
  const user = `user-${randomUUID()}`;
  await api.call("POST", "/api/v1/services", { body: { services: [{ id: "gig", name: "Gig" }] } });
  await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "50" } });
  const reserved = await api.call("POST", "/api/v1/reservations", {
    body: { userId: user, serviceId: "gig", orderId: "o-1", amount: "41.37", ttlSeconds: 600, comment: SECRET },
  });
  const id = reservationWorkflowId(String(reserved.body["reservationId"]));
  const show = ["workflow", "show", "--workflow-id", id, "--output", "json"];

  const admin = await tokenOf("admin");
  expect(everyTextOf(await ask(show))).not.toContain(SECRET);
  expect(everyTextOf(await ask(show, admin))).toContain(SECRET);
  // The command line tries again until its deadline, so the refusals are asked for directly.
  const statusFor = async (token: string) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return (await fetch(`${endpoint}/decode`, { method: "POST", headers, body: '{"payloads":[]}' })).status;
  };
  expect([await statusFor(admin), await statusFor(await tokenOf("service")), await statusFor("nonsense")]).toEqual([200, 403, 401]);

  const query = await ask(["workflow", "query", "--workflow-id", id, "--type", "status", "--output", "json"], admin).catch(String);
  expect(query).not.toContain("PAYLOAD_UNREADABLE");
  // Encrypted on its way: where payloads in the open are refused, this one is taken.
  await ask(["workflow", "signal", "--workflow-id", id, "--name", "by-hand", "--input", `"${SECRET}"`], admin);
  await until("the signal is in the history", async () => (await ask(show)).includes("by-hand"));
  expect(everyTextOf(await ask(show))).not.toContain(SECRET);
  const confirmed = await api.call("POST", `/api/v1/reservations/${String(reserved.body["reservationId"])}/confirm`, {
    body: { amount: "41.37" },
  });
  expect(confirmed).toMatchObject({ status: 200, body: { confirmed: "41.37" } });

  // The history as it is stored, which nothing but the keys can read.
  const file = join(folder, "history.json");
  writeFileSync(file, await ask(show));
  const bundlePath = await buildWorkflowBundle(inject("cacheDir"));
  const replay = async (line: string) => {
    const settings = { TEMPORAL_PAYLOAD_ENCRYPTION: "off", TEMPORAL_PAYLOAD_KEYS: line, TEMPORAL_PAYLOAD_KEYS_FILE: undefined } as const;
    return (await replayHistories([file], bundlePath, openReadingCodec(settings)))[0];
  };
  expect(await replay(keys)).toMatchObject({ ok: true, workflow: "reservation" });
  expect(await replay(`k2:${randomBytes(32).toString("base64")}`)).toMatchObject({ ok: false });
});
