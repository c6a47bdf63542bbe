import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compileRoles } from "./compile-roles.ts";
import { findKept } from "./kept-roles.ts";
import { PROJECT_DIR, START_ENTRIES, type RoleEntries } from "./role-entries.ts";
import { keepInUse } from "./unused-roles.ts";

const LEAN = join(PROJECT_DIR, "workers/lean-workflow-threads.cjs");
let folder: string;
let cacheDir: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "saldo-compile-"));
  cacheDir = join(folder, "cache");
  mkdirSync(cacheDir);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function source(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function entriesOf(entry: string): RoleEntries {
  return { api: entry, worker: entry, bridge: entry, relay: entry, psp: entry };
}

const foldersOf = (parent: string) =>
  readdirSync(parent)
    .filter((name) => !name.endsWith(".json"))
    .map((name) => join(parent, name))
    .toSorted();
const foldersIn = (...folders: (string | undefined)[]) => folders.filter((each) => each !== undefined).toSorted();
const run = (file: string) => promisify(execFile)(process.execPath, ["--enable-source-maps", file]);

test("a compiled role finds the packages of npm, and the files beside its source", async () => {
  source("beside.txt", "found");
  const entry = source(
    "role.ts",
    `import { readFileSync } from "node:fs";
     import { z } from "zod";
     const text: string = readFileSync(new URL("./beside.txt", import.meta.url), "utf8");
     console.log(z.string().parse(text));`,
  );
  const { api } = await compileRoles(entriesOf(entry), cacheDir);
  expect((await run(api)).stdout).toBe("found\n");
});

test("an error of a compiled role names the line of its source", async () => {
  const entry = source("role.ts", `type Nothing = undefined;\n\nfunction fail(): Nothing {\n  throw new Error("broken");\n}\nfail();\n`);
  const { worker } = await compileRoles(entriesOf(entry), cacheDir);
  await expect(run(worker)).rejects.toMatchObject({ stderr: expect.stringMatching(/role\.ts:4/) });
});

test("the same sources give the same files, also to many starts at once, and a changed import gives others", async () => {
  source("word.ts", `export const WORD = "first";`);
  const entry = source("role.ts", `import { WORD } from "./word.ts";\nconsole.log(WORD);`);
  const compile = () => compileRoles(entriesOf(entry), cacheDir);
  const [first, ...same] = await Promise.all([compile(), compile(), compile()]);
  for (const again of [...same, await compile()]) expect(again).toEqual(first);
  expect(foldersOf(cacheDir)).toHaveLength(1);
  source("word.ts", `export const WORD = "second";`);
  const changed = await compile();
  expect(changed.api).not.toBe(first?.api);
  expect((await run(changed.api)).stdout).toBe("second\n");
  expect((await run(first?.api ?? "")).stdout).toBe("first\n");
});

test("the modules of npm that Saldo reaches into are the ones that the compiled roles run", async () => {
  const project = new URL("../../..", import.meta.url).pathname;
  const reached = ["src", "workers", "activities"]
    .flatMap((root) => readdirSync(join(project, root), { recursive: true, encoding: "utf8" }).map((name) => join(project, root, name)))
    .filter((path) => /(?<!\.test)\.ts$/.test(path))
    .flatMap((path) => [...readFileSync(path, "utf8").matchAll(/["`]([a-z][a-z-]*)\/src\/[^"`]*["`]/g)].map(([, name]) => name));
  expect(new Set(reached)).toEqual(new Set(["kafkajs"]));
  const compiled = await compileRoles(START_ENTRIES, cacheDir);
  const text = readFileSync(join(dirname(compiled.api), "roles.cjs"), "latin1");
  const inside = [...new Set(reached)].filter((name) => !text.includes(`require("${name}")`) || text.includes(`// node_modules/${name}/`));
  expect(inside).toEqual([]);
});

test("letters beyond ASCII mean the same in texts and in patterns", async () => {
  const entry = source("role.ts", 'console.log("＝ ü 👇".replace(/[＝ü]/g, "x"), `→`); // ü');
  const { api } = await compileRoles(entriesOf(entry), cacheDir);
  expect((await run(api)).stdout).toBe("x x 👇 →\n");
});

test("the second run of an entry takes the machine code of the first", async () => {
  const entry = source("role.ts", `console.log("ran");`);
  const { api } = await compileRoles(entriesOf(entry), cacheDir);
  await run(api);
  const kept = readdirSync(dirname(api)).filter((name) => name.endsWith(".cache"));
  expect(kept).toEqual([`api-${process.version}-${process.arch}.cache`]);
  const before = statSync(join(dirname(api), kept[0] ?? "")).mtimeMs;
  expect((await run(api)).stdout).toBe("ran\n");
  expect(statSync(join(dirname(api), kept[0] ?? "")).mtimeMs).toBe(before);
});

test("machine code that V8 refuses is left out and made again", async () => {
  const entry = source("role.ts", `console.log("ran");`);
  const { api } = await compileRoles(entriesOf(entry), cacheDir);
  const cache = join(dirname(api), `api-${process.version}-${process.arch}.cache`);
  writeFileSync(cache, "spoilt");
  expect((await run(api)).stdout).toBe("ran\n");
  expect(statSync(cache).size).toBeGreaterThan(100);
});

test("what was compiled is found again without a compiler, until one of its files changes", async () => {
  source("word.ts", `export const WORD = "first";`);
  const entries = entriesOf(source("role.ts", `import { WORD } from "./word.ts";\nconsole.log(WORD);`));
  await sleep(20);
  const { api } = await compileRoles(entries, cacheDir);
  expect(await findKept(entries, cacheDir)).toBe(dirname(api));
  source("word.ts", `export const WORD = "other";`);
  expect(await findKept(entries, cacheDir)).toBeUndefined();
});

test("the newest five results stay, and an older one only while a process has it in use", async () => {
  const entry = join(folder, "role.ts");
  const compile = async (version: number) => {
    source("role.ts", `console.log(${version});`);
    return await compileRoles(entriesOf(entry), cacheDir);
  };
  const age = (result: string, hours: number) => {
    const then = new Date(Date.now() - hours * 3_600_000);
    utimesSync(result, then, then);
  };
  const running = await compile(0);
  const made = [dirname(running.api)];
  for (const version of [1, 2, 3, 4, 5, 6]) made.push(dirname((await compile(version)).api));
  // All of them were just taken: each may be one that a start is about to use.
  expect(foldersOf(cacheDir)).toEqual(foldersIn(...made));
  const letGo = keepInUse(running);
  // Of a process that died without a word.
  writeFileSync(join(made[1] ?? "", "user-1-x"), "somebody");
  for (const [place, result] of made.entries()) age(result, 10 - place);
  const eighth = dirname((await compile(7)).api);
  expect(foldersOf(cacheDir)).toEqual(foldersIn(made[0], ...made.slice(3), eighth));
  expect((await run(running.api)).stdout).toBe("0\n");
  letGo();
  age(made[0] ?? "", 10);
  const ninth = dirname((await compile(8)).api);
  expect(foldersOf(cacheDir)).toEqual(foldersIn(...made.slice(4), eighth, ninth));
});

test("an error keeps the name of its class where two packages have one of that name", async () => {
  source("one.mjs", "export class LostError extends Error {}");
  source("two.mjs", "export class LostError extends Error {}");
  const entry = source(
    "role.ts",
    `import * as one from "./one.mjs";
     import * as two from "./two.mjs";
     console.log(new one.LostError().constructor.name, new two.LostError().constructor.name);`,
  );
  const { api } = await compileRoles(entriesOf(entry), cacheDir);
  expect((await run(api)).stdout).toBe("LostError LostError\n");
});

/** A class as esbuild writes it: its variable, its own name, what it extends, and the name that it is given at run time. */
const CLASS = /(?:([\w$]+) = )?class(?: ([\w$]+))?(?: extends ([\w$.]+))? \{\n(?:\s*static \{\s*__name\d*\(this, "([^"]+)"\))?/g;

describe("the roles and the start", () => {
  let cache: string;
  let compiled: typeof START_ENTRIES;

  beforeAll(async () => {
    cache = mkdtempSync(join(tmpdir(), "saldo-compile-all-"));
    compiled = await compileRoles(START_ENTRIES, cache);
  });
  afterAll(() => rmSync(cache, { recursive: true, force: true }));

  test("compile, with npm inside but for what is native, and the text is one byte a character", async () => {
    expect(Object.values(compiled).every((file) => file.endsWith(".cjs"))).toBe(true);
    const code = readFileSync(join(dirname(compiled.api), "roles.cjs"));
    expect(code.every((byte) => byte < 0x80)).toBe(true);
    const text = code.toString("latin1");
    expect(text).toContain("// node_modules/@temporalio/worker/");
    expect(text).not.toContain("// node_modules/@swc/core/");
    expect(text).toContain('require("snappy")');
  });

  test("have no error that may be logged or mapped by another name than in its package", async () => {
    const code = readFileSync(join(dirname(compiled.api), "roles.cjs"), "latin1");
    const errors = [...code.matchAll(CLASS)].filter(([, , , parent = ""]) => /(?:Error|Failure)\d*$/.test(parent));
    const names = errors.map(([, variable, own, , kept]) => kept ?? own ?? variable ?? "");
    expect(names.filter((name) => /^_|\d$/.test(name))).toEqual([]);
    // By these some libraries name their errors themselves (`this.constructor.name`), and our own mapping knows Temporal's.
    for (const name of [
      "PostgresError",
      "JWTExpired",
      "ReplyError",
      "MaxRetriesPerRequestError",
      "BrokenCircuitError",
      "ApplicationFailure",
    ])
      expect(names, name).toContain(name);
  });

  test("the threads that run workflows load one file too, by the SDK's own names, and find its machine code the second time", async () => {
    const result = dirname(compiled.api);
    const threads = join(result, "threads");
    expect(readFileSync(join(result, "roles.cjs"), "latin1")).toContain('join(__dirname, "threads", "workflow-worker-thread.js")');
    // As workers/lean-workflow-threads.cjs does it.
    const classes = `const { GlobalHandlers, BaseVMWorkflow } = require(${JSON.stringify(join(threads, "vm-shared.js"))});
      console.log(typeof GlobalHandlers.prototype.setPromiseHook, typeof BaseVMWorkflow.prototype.activate);`;
    expect((await promisify(execFile)(process.execPath, ["-e", classes])).stdout).toBe("function function\n");
    const machineCode = join(result, `threads-${process.version}-${process.arch}.cache`);
    const { mtimeMs } = statSync(machineCode);
    const workflowBundle = { code: "", filename: "none.js", sourceMap: { version: 3, sources: [], names: [], mappings: "" } };
    const input = { type: "init", workflowBundle, isolateExecutionTimeoutMs: 1_000, reuseV8Context: false };
    const init = `const thread = new (require("node:worker_threads").Worker)(${JSON.stringify(join(threads, "workflow-worker-thread.js"))});
      thread.once("message", (answer) => (console.log(JSON.stringify(answer)), thread.terminate()));
      thread.postMessage({ requestId: 7, input: { ...${JSON.stringify(input)}, registeredActivityNames: new Set() } });`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--require", LEAN, "-e", init]);
    expect(JSON.parse(stdout)).toEqual({ requestId: 7, result: { type: "ok" } });
    expect(statSync(machineCode).mtimeMs).toBe(mtimeMs);
  });
});
