import { spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { claimDataDir } from "./data-dir.ts";
import { clearAbandoned } from "./processes/abandoned.ts";
import { clearLeftovers } from "./processes/leftovers.ts";
import { recordProcess, stopOrphans } from "./processes/pid-file.ts";
import { processIdentity } from "./processes/process-identity.ts";
import { markKept } from "./processes/throw-away.ts";
import { readRunning, writeRunning } from "./running.ts";

let parent: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "saldo-data-dir-"));
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

const IDLE = ["-e", "setInterval(() => {}, 1000)"];

async function startIdle(): Promise<{ pid: number; ended: Promise<unknown>; kill: () => void }> {
  const child = spawn(process.execPath, IDLE, { detached: true, stdio: "ignore" });
  const ended = once(child, "exit");
  await once(child, "spawn");
  return { pid: child.pid ?? 0, ended, kill: () => child.kill("SIGKILL") };
}

test("a file where the data folder should be is refused in words, and so is a folder below a file", () => {
  const file = join(parent, "file");
  writeFileSync(file, "");
  expect(() => claimDataDir(file)).toThrow(`DATA_DIR ${file} is a file; name a folder, which may be new.`);
  expect(() => claimDataDir(join(file, "below"))).toThrow(/^DATA_DIR .* cannot be made \(.*\); name another folder\.$/);
});

test("a data folder belongs to one living process at a time", () => {
  const dataDir = join(parent, "data");
  const release = claimDataDir(dataDir);
  expect(() => claimDataDir(dataDir)).toThrow(`Saldo already runs on ${dataDir} (process ${process.pid})`);
  release();
  claimDataDir(dataDir)();
  expect(readdirSync(dataDir)).toEqual([]);
});

test("a claim of a process that is gone, or of a pid that now is another process, does not count", async () => {
  for (const holder of [{ pid: 2_147_483_646, identity: "gone" }, { pid: process.pid, identity: "another boot:1" }, "no json"]) {
    writeFileSync(join(parent, "lock"), JSON.stringify(holder));
    claimDataDir(parent)();
  }
  writeFileSync(join(parent, "lock"), "cut sho");
  claimDataDir(parent)();
});

test("servers of a killed parent are stopped, a stranger who has one's pid is not", async () => {
  const [orphan, stranger] = await Promise.all([startIdle(), startIdle()]);
  recordProcess(parent, { name: "postgres", pid: orphan.pid, stopSteps: [{ signal: "SIGTERM", graceMs: 2_000 }] });
  recordProcess(parent, { name: "kafka", pid: stranger.pid, stopSteps: [] });
  const path = join(parent, "kafka.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), identity: "another boot:1" }));
  writeFileSync(join(parent, "half.json"), '{"pid":');

  expect(await stopOrphans(parent)).toEqual(["postgres"]);
  await orphan.ended;
  expect(processIdentity(stranger.pid)).toBeDefined();
  expect(readdirSync(parent)).toEqual([]);
  stranger.kill();
  await stranger.ended;
});

test("throw-away folders of killed parents are cleared with their servers; those of living ones stay", async () => {
  const server = await startIdle();
  const abandoned = join(parent, "saldo-test-1");
  const used = join(parent, "saldo-test-2");
  claimDataDir(abandoned);
  claimDataDir(used);
  writeFileSync(join(abandoned, "lock"), JSON.stringify({ pid: 2_147_483_646, identity: "gone" }));
  recordProcess(join(abandoned, "pids"), { name: "redis", pid: server.pid, stopSteps: [] });
  expect(await clearAbandoned(parent, "saldo-test-")).toEqual([abandoned]);
  await server.ended;
  expect(readdirSync(parent)).toEqual(["saldo-test-2"]);
});

test("a system that a test had started is cleared with the killed run that the test belonged to", async () => {
  const server = await startIdle();
  const run = join(parent, "saldo-test-1");
  const nested = join(run, "tmp", "saldo-server-death-x", "data");
  claimDataDir(run);
  claimDataDir(nested);
  writeFileSync(join(run, "lock"), JSON.stringify({ pid: 2_147_483_646, identity: "gone" }));
  recordProcess(join(nested, "pids"), { name: "postgres", pid: server.pid, stopSteps: [] });
  expect(await clearLeftovers({ temporary: parent, shared: join(parent, "none") })).toEqual([run]);
  await server.ended;
  expect(readdirSync(parent)).toEqual([]);
});

test("a folder without a lock stays for an hour, as one that is just being made, and is cleared after it", async () => {
  const unlocked = join(parent, "saldo-ephemeral-1");
  mkdirSync(unlocked);
  const clear = () => clearLeftovers({ temporary: parent, shared: join(parent, "none") });
  expect(await clear()).toEqual([]);
  const twoHoursAgo = new Date(Date.now() - 2 * 3_600_000);
  utimesSync(unlocked, twoHoursAgo, twoHoursAgo);
  expect(await clear()).toEqual([unlocked]);
});

test("a data folder that is kept stays, whatever its name and however long nothing runs on it", async () => {
  const mine = join(parent, "saldo-test-of-my-own");
  mkdirSync(mine);
  markKept(mine);
  const twoHoursAgo = new Date(Date.now() - 2 * 3_600_000);
  utimesSync(mine, twoHoursAgo, twoHoursAgo);
  writeFileSync(join(mine, "lock"), JSON.stringify({ pid: 2_147_483_646, identity: "gone" }));
  expect(await clearLeftovers({ temporary: parent, shared: join(parent, "none") })).toEqual([]);
});

// Only root can make a folder another user's.
test.runIf(process.getuid?.() === 0)("a folder of another user stays, and so does the process that it names", async () => {
  const server = await startIdle();
  const foreign = join(parent, "saldo-ephemeral-1");
  claimDataDir(foreign);
  writeFileSync(join(foreign, "lock"), JSON.stringify({ pid: 2_147_483_646, identity: "gone" }));
  recordProcess(join(foreign, "pids"), { name: "redis", pid: server.pid, stopSteps: [] });
  chownSync(foreign, 65_534, 65_534);
  expect(await clearLeftovers({ temporary: parent, shared: join(parent, "none") })).toEqual([]);
  expect(processIdentity(server.pid)).toBeDefined();
  server.kill();
  await server.ended;
});

test("the note of what runs counts only while its process lives", () => {
  const note = {
    startedAt: "2026-11-01T00:00:00.000Z",
    databaseUrl: "d",
    databaseAdminUrl: "a",
    temporalAddress: "t",
    apiUrl: "h",
    purchasesUrl: "p",
    logDir: "l",
    roles: [],
  };
  expect(readRunning(parent)).toBeUndefined();
  writeRunning(parent, note);
  expect(readRunning(parent)).toMatchObject({ ...note, pid: process.pid });
  const path = join(parent, "running.json");
  writeFileSync(path, readFileSync(path, "utf8").replace(processIdentity(process.pid) ?? "", "another boot:1"));
  expect(readRunning(parent)).toBeUndefined();
});
