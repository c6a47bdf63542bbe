import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../test/support/until.ts";
import { compileRoles, keepInUse } from "./compile-roles.ts";
import { ROLE_ENTRIES, type RoleEntries } from "./roles.ts";

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
  expect(readdirSync(cacheDir)).toHaveLength(1);
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
  expect(
    readdirSync(cacheDir)
      .map((name) => join(cacheDir, name))
      .toSorted(),
  ).toEqual([young, newest].toSorted());
});

test("the roles themselves compile, and the packages of npm stay outside", async () => {
  const compiled = await compileRoles(ROLE_ENTRIES, cacheDir);
  expect(Object.values(compiled).every((file) => file.endsWith(".js"))).toBe(true);
  const texts = readdirSync(dirname(compiled.api))
    .filter((name) => name.endsWith(".js"))
    .map((name) => readFileSync(join(dirname(compiled.api), name), "utf8"));
  expect(texts.some((text) => text.includes('from "@temporalio/worker"'))).toBe(true);
  expect(texts.filter((text) => text.includes("// node_modules/"))).toEqual([]);
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
