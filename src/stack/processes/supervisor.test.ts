import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stopOrphans } from "./pid-file.ts";
import { superviseRole, type RoleEvent, type RoleSpec, type SupervisedRole } from "./supervisor.ts";

let dataDir: string;
let roles: SupervisedRole[];
let events: RoleEvent[];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "saldo-supervisor-"));
  roles = [];
  events = [];
});

afterEach(async () => {
  await Promise.all(roles.map((role) => role.stop()));
  rmSync(dataDir, { recursive: true, force: true });
});

function supervise(script: string, overrides: Partial<RoleSpec> = {}, times = {}): SupervisedRole {
  const file = join(dataDir, "role.mjs");
  writeFileSync(file, script);
  const spec = { name: "role", command: process.execPath, args: [file], environment: {}, graceMs: 2_000, ...overrides };
  const role = superviseRole(spec, { dataDir, onEvent: (event) => events.push(event), times: { minBackoffMs: 40, ...times } });
  roles.push(role);
  return role;
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`It did not come to pass: ${condition.toString()}`);
    await sleep(10);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const READY_AND_WAIT = `process.send({ type: "ready" }); setInterval(() => {}, 1000);`;

test("a role is ready by its own word, and one that is killed is started again as another process", async () => {
  const role = supervise(READY_AND_WAIT);
  await role.ready;
  const first = role.pid() ?? 0;
  process.kill(first, "SIGKILL");
  await until(() => role.pid() !== first && events.filter((event) => event.state === "ready").length === 2);
  expect(role.restarts()).toBe(1);
  expect(isAlive(first)).toBe(false);
});

test("a role that dies at once again and again waits twice as long each time and says why it died", async () => {
  supervise(`process.send({ type: "ready" }); console.error("Error: no such table"); setTimeout(() => process.exit(3), 20);`);
  await until(() => events.filter((event) => event.state === "backing-off").length >= 3);
  const waits = events.filter((event) => event.state === "backing-off").map((event) => Number(/again in (\d+) ms/.exec(event.detail)?.[1]));
  expect(waits.slice(0, 3)).toEqual([40, 80, 160]);
  expect(events.find((event) => event.state === "backing-off")?.detail).toContain("exit code 3): Error: no such table");
});

test("the wait never grows over its bound", async () => {
  supervise(`process.send({ type: "ready" }); setTimeout(() => process.exit(1), 5);`, {}, { maxBackoffMs: 60 });
  await until(() => events.filter((event) => event.state === "backing-off").length >= 3);
  expect(events.filter((event) => event.state === "backing-off").at(2)?.detail).toContain("again in 60 ms");
});

test("a role that lived long enough is started again after the shortest wait", async () => {
  supervise(`process.send({ type: "ready" }); setTimeout(() => process.exit(1), 80);`, {}, { healthyAfterMs: 60 });
  await until(() => events.filter((event) => event.state === "backing-off").length >= 3);
  expect(events.filter((event) => event.state === "backing-off").at(2)?.detail).toContain("again in 40 ms");
});

test("a role that dies before it was ever ready is given up with one sentence", async () => {
  const role = supervise(`console.error(JSON.stringify({ level: "fatal", msg: "DATABASE_URL: is wrong" })); process.exit(1);`);
  await expect(role.ready).rejects.toMatchObject({
    code: "SERVER_FAILED",
    message: expect.stringMatching(/^role ended \(exit code 1\): DATABASE_URL: is wrong \(log: .*role\.log\)\.$/),
  });
  await sleep(200);
  expect(events.at(-1)?.state).toBe("stopped");
});

test("a role that never gets ready is given up in time", async () => {
  const role = supervise(`setInterval(() => {}, 1000);`, {}, { readyTimeoutMs: 300 });
  await expect(role.ready).rejects.toThrow("not ready within 300 ms");
});

test("a role with a check of its own is ready when the check says so", async () => {
  let asked = 0;
  const role = supervise(READY_AND_WAIT, { isReady: async () => (asked += 1) > 3 });
  await role.ready;
  expect(asked).toBe(4);
});

test("stop asks first, and a role that does not obey is killed after its grace; none is started again", async () => {
  const polite = supervise(`process.on("SIGTERM", () => { console.log("obeyed"); process.exit(0); }); ${READY_AND_WAIT}`);
  await polite.ready;
  await polite.stop();
  expect(readFileSync(join(dataDir, "logs", "role.log"), "utf8")).toContain("obeyed");

  const stubborn = supervise(`process.on("SIGTERM", () => {}); ${READY_AND_WAIT}`, { name: "stubborn", graceMs: 200 });
  await stubborn.ready;
  const pid = stubborn.pid() ?? 0;
  const beganAtMs = performance.now();
  await stubborn.stop();
  expect(performance.now() - beganAtMs).toBeLessThan(1_500);
  await sleep(150);
  expect(isAlive(pid)).toBe(false);
  expect(stubborn.restarts()).toBe(0);
});

test("stop also ends a role that waits to be started again", async () => {
  const role = supervise(`process.send({ type: "ready" }); setTimeout(() => process.exit(1), 5);`, {}, { minBackoffMs: 300 });
  await until(() => events.some((event) => event.state === "backing-off"));
  await role.stop();
  await sleep(400);
  expect(events.some((event) => event.state === "restarting")).toBe(false);
});

test("a role left behind by a killed supervisor is found by its record, and the record of a stopped one is gone", async () => {
  const role = supervise(READY_AND_WAIT);
  await role.ready;
  const pid = role.pid() ?? 0;
  expect(readdirSync(join(dataDir, "pids"))).toEqual(["role.json"]);
  await Promise.all([stopOrphans(join(dataDir, "pids")), role.stop()]);
  await until(() => !isAlive(pid));
  expect(readdirSync(join(dataDir, "pids"))).toEqual([]);
});
