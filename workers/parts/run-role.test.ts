import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const ROLE = new URL("./run-role.ts", import.meta.url).href;
const ABORTED = new URL("../../src/base/aborted.ts", import.meta.url).href;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "saldo-role-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

type Ended = { code: number | null; output: string };

async function startRole(main: string): Promise<{ child: ChildProcess; ended: Promise<Ended> }> {
  const file = join(directory, "role.mts");
  writeFileSync(
    file,
    `import { runRole } from ${JSON.stringify(ROLE)};\nimport { untilAborted } from ${JSON.stringify(ABORTED)};\nawait runRole("example", async ({ signal, ready }) => { ${main} });`,
  );
  const child = fork(file, [], { cwd: PROJECT, execArgv: ["--import", "tsx"], stdio: ["ignore", "pipe", "pipe", "ipc"] });
  let output = "";
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  for (const stream of streams) stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  // "close" never comes after a disconnect by the parent, so the streams are awaited one by one.
  const ended = Promise.all([once(child, "exit"), ...streams.map((stream) => once(stream, "end"))]).then(([[code]]) => ({
    code: code as number | null,
    output,
  }));
  return { child, ended };
}

const WAIT_THEN_CLEAN_UP = `ready(); await untilAborted(signal); console.log("cleaned up");`;

test.each(["SIGTERM", "SIGINT"] as const)("on %s the role cleans up and ends with 0", async (signal) => {
  const { child, ended } = await startRole(WAIT_THEN_CLEAN_UP);
  await expect(once(child, "message")).resolves.toMatchObject([{ type: "ready" }, undefined]);
  child.kill(signal);
  await expect(ended).resolves.toEqual({ code: 0, output: "cleaned up\n" });
});

test("a role whose parent is gone cleans up and ends", async () => {
  const { child, ended } = await startRole(WAIT_THEN_CLEAN_UP);
  await once(child, "message");
  child.disconnect();
  await expect(ended).resolves.toEqual({ code: 0, output: "cleaned up\n" });
});

test("a second order ends a role that does not end", async () => {
  const { child, ended } = await startRole(`ready(); setInterval(() => {}, 1000); await new Promise(() => {});`);
  await once(child, "message");
  child.kill("SIGTERM");
  // A role that heard the first one late may take the next one for its repeat.
  const again = setInterval(() => child.kill("SIGTERM"), 700);
  expect((await ended).code).toBe(1);
  clearInterval(again);
});

test("an order that npm repeats within half a second is one order", async () => {
  // The role repeats the order itself, as half a second of this process may be long on a slow machine.
  const { child, ended } = await startRole(
    `let orders = 0; process.on("SIGINT", () => (orders += 1) === 1 && process.kill(process.pid, "SIGINT"));
     ready(); await untilAborted(signal); while (orders < 2) await new Promise((done) => setTimeout(done, 5)); console.log("cleaned up");`,
  );
  await once(child, "message");
  child.kill("SIGINT");
  await expect(ended).resolves.toEqual({ code: 0, output: "cleaned up\n" });
});

test.each([
  ["throws", `throw new Error("no\\n database");`],
  ["leaves a rejection unhandled", `void Promise.reject(new Error("no\\n database")); await untilAborted(signal);`],
  ["throws in a callback", `setTimeout(() => { throw new Error("no\\n database"); }, 1); await untilAborted(signal);`],
])("a role that %s says why in one line and ends with 1", async (_name, main) => {
  const { ended } = await startRole(main);
  const { code, output } = await ended;
  expect(code).toBe(1);
  expect(JSON.parse(output)).toMatchObject({ level: "fatal", role: "example", msg: "no database" });
});
