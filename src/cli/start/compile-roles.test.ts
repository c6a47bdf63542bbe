import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../test/support/until.ts";
import { compileRoles, keepInUse } from "./compile-roles.ts";
import { findKept } from "./kept-roles.ts";
import { START_ENTRIES, type RoleEntries } from "./role-entries.ts";

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

test("a result that no start has used for thirty days is removed by the next, a younger one stays", async () => {
  const entry = source("role.ts", "console.log(1);");
  const old = dirname((await compileRoles(entriesOf(entry), cacheDir)).api);
  writeFileSync(entry, "console.log(2);");
  const young = dirname((await compileRoles(entriesOf(entry), cacheDir)).api);
  const daysAgo = new Date(Date.now() - 31 * 24 * 3_600_000);
  utimesSync(old, daysAgo, daysAgo);
  writeFileSync(entry, "console.log(3);");
  const newest = dirname((await compileRoles(entriesOf(entry), cacheDir)).api);
  expect(foldersOf(cacheDir)).toEqual([young, newest].toSorted());
});

test("the roles and the start compile, with npm inside but for what is native, and the text is one byte a character", async () => {
  const compiled = await compileRoles(START_ENTRIES, cacheDir);
  expect(Object.values(compiled).every((file) => file.endsWith(".cjs"))).toBe(true);
  const code = readFileSync(join(dirname(compiled.api), "roles.cjs"));
  expect(code.every((byte) => byte < 0x80)).toBe(true);
  const text = code.toString("latin1");
  expect(text).toContain("// node_modules/@temporalio/worker/");
  expect(text).not.toContain("// node_modules/@swc/core/");
  expect(text).toContain('require("snappy")');
});

test("the modules of npm that Saldo reaches into are the ones that the compiled roles run", async () => {
  const project = new URL("../../..", import.meta.url).pathname;
  const reached = ["src", "workers", "activities"]
    .flatMap((folder) =>
      readdirSync(join(project, folder), { recursive: true, encoding: "utf8" }).map((name) => join(project, folder, name)),
    )
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

test("files that a running system may start a role from again stay, however long ago it started", async () => {
  const entry = source("role.ts", `console.log("first");`);
  const running = await compileRoles(entriesOf(entry), cacheDir);
  const longAgo = new Date(Date.now() - 31 * 24 * 3_600_000);
  utimesSync(dirname(running.api), longAgo, longAgo);
  const letGo = keepInUse(running, 10);
  await until("it is in use", () => statSync(dirname(running.api)).mtimeMs > longAgo.getTime() + 1_000);
  letGo();
  source("role.ts", `console.log("second");`);
  await compileRoles(entriesOf(entry), cacheDir);
  expect((await run(running.api)).stdout).toBe("first\n");
});
