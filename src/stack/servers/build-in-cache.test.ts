import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../test/support/until.ts";
import { buildInCache } from "./build-in-cache.ts";

let cacheDir: string;

beforeEach(() => {
  cacheDir = mkdtempSync(join(tmpdir(), "saldo-cache-"));
});

afterEach(() => rmSync(cacheDir, { recursive: true, force: true }));

test("of many who want the same folder at once one builds it and all get it whole", async () => {
  let builds = 0;
  const build = async (directory: string) => {
    builds += 1;
    await writeFile(join(directory, "first"), "1");
    await sleep(100);
    await writeFile(join(directory, "second"), "2");
  };
  const results = await Promise.all(Array.from({ length: 5 }, () => buildInCache({ cacheDir, name: "tool", build })));
  expect(builds).toBe(1);
  expect(results.filter((result) => result.built)).toHaveLength(1);
  expect(new Set(results.map((result) => result.directory))).toEqual(new Set([join(cacheDir, "tool")]));
  expect(readdirSync(cacheDir)).toEqual(["tool"]);
  expect(readdirSync(join(cacheDir, "tool"))).toEqual(["first", "second"]);
});

test("a build that fails leaves nothing, and the next one builds again", async () => {
  const failing = buildInCache({
    cacheDir,
    name: "tool",
    build: async (directory) => {
      await writeFile(join(directory, "half"), "1");
      throw new Error("the network is down");
    },
  });
  await expect(failing).rejects.toThrow("the network is down");
  expect(readdirSync(cacheDir)).toEqual([]);
  await expect(buildInCache({ cacheDir, name: "tool", build: async () => undefined })).resolves.toMatchObject({ built: true });
});

test("a folder that a killed builder left unfinished is never taken for the whole one", async () => {
  writeFileSync(join(cacheDir, "tool.lock"), "2147483646 nobody");
  await expect(buildInCache({ cacheDir, name: "tool", build: async () => undefined })).resolves.toMatchObject({ built: true });
});

test("a lock that nobody renews is taken over, one that is held is waited for", async () => {
  const lock = join(cacheDir, "tool.lock");
  writeFileSync(lock, "");
  let waited = false;
  const building = buildInCache({ cacheDir, name: "tool", onWait: () => (waited = true), build: async () => undefined });
  await until("it waits", () => waited);
  expect(existsSync(join(cacheDir, "tool"))).toBe(false);
  const longAgo = new Date(Date.now() - 61_000);
  utimesSync(lock, longAgo, longAgo);
  await expect(building).resolves.toMatchObject({ built: true });
});

test("who waits for a lock can be stopped", async () => {
  writeFileSync(join(cacheDir, "tool.lock"), "");
  const abort = new AbortController();
  const building = buildInCache({ cacheDir, name: "tool", signal: abort.signal, build: async () => undefined });
  setTimeout(() => abort.abort(), 50);
  await expect(building).rejects.toMatchObject({ code: "STOPPED" });
});
