import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { clearLeftovers } from "../processes/leftovers.ts";
import { markKept, TEST_RUN_PREFIX } from "../processes/throw-away.ts";
import { clearMovedClusters, clustersWithoutOwner, movedClusterFolder } from "./moved-clusters.ts";

let temporary: string;
let shared: string;
/** A data folder that is no throw-away one, because it lies outside of the temporary folder. */
let kept: string;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "saldo-moved-"));
  shared = join(temporary, "shared");
  kept = mkdtempSync(join(dirname(dirname(tmpdir())), "saldo-kept-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of [temporary, kept]) rmSync(folder, { recursive: true, force: true });
});

const dataDirOf = (name: string) => {
  const dataDir = join(temporary, name);
  mkdirSync(dataDir, { recursive: true });
  return dataDir;
};
const moved = (dataDir: string, ephemeral = false) => {
  const folder = movedClusterFolder(dataDir, { ephemeral, parent: shared });
  mkdirSync(join(folder, "postgres"), { recursive: true });
  return folder;
};

test("the moved cluster of a throw-away data folder is removed once that folder is gone, and not before", () => {
  const dataDir = dataDirOf("data");
  const folder = moved(dataDir);
  expect(moved(dataDir)).toBe(folder);
  expect(clearMovedClusters(shared)).toEqual([]);
  rmSync(dataDir, { recursive: true });
  expect(clearMovedClusters(shared)).toEqual([folder]);
  expect(readdirSync(shared)).toEqual([]);
});

test("the cluster of a killed run of the tests is cleared together with the run's folder by the next start", async () => {
  const run = dataDirOf(`${TEST_RUN_PREFIX}1`);
  const folder = moved(run, true);
  writeFileSync(join(run, "lock"), JSON.stringify({ pid: 2_147_483_646, identity: "gone" }));
  expect(await clearLeftovers({ temporary, shared })).toEqual([run, folder]);
});

test("the cluster of a data folder that is kept stays when its disk is not mounted, and is named to a person", () => {
  const folder = moved(kept);
  expect(clustersWithoutOwner(shared)).toEqual([]);
  rmSync(kept, { recursive: true });
  expect(clearMovedClusters(shared)).toEqual([]);
  expect(clustersWithoutOwner(shared)).toEqual([{ folder, dataDir: kept }]);
});

test("a cluster without a readable note stays and is named without an owner", () => {
  const folder = join(shared, "data-unknown");
  mkdirSync(folder, { recursive: true });
  const cut = moved(dataDirOf("cut"));
  writeFileSync(join(cut, "owner.json"), '{"dataDir":');
  rmSync(join(temporary, "cut"), { recursive: true });
  expect(clearMovedClusters(shared)).toEqual([]);
  expect(clustersWithoutOwner(shared)).toEqual(expect.arrayContaining([cut, folder].map((path) => ({ folder: path, dataDir: undefined }))));
});

test("a cluster whose server runs stays, and so does whatever else lies beside the clusters", () => {
  const dataDir = dataDirOf("data");
  const folder = moved(dataDir, true);
  writeFileSync(join(folder, "postgres", "postmaster.pid"), `${process.pid}\n`);
  mkdirSync(join(shared, "postgres-18"));
  rmSync(dataDir, { recursive: true });
  expect(clearMovedClusters(shared)).toEqual([]);
  writeFileSync(join(folder, "postgres", "postmaster.pid"), "2147483646\n");
  expect(clearMovedClusters(shared)).toEqual([folder]);
  expect(existsSync(join(shared, "postgres-18"))).toBe(true);
});

test("the cluster of a kept data folder that lay in the temporary folder stays when that folder is moved elsewhere", () => {
  vi.stubEnv("TMPDIR", kept);
  const dataDir = join(kept, `${TEST_RUN_PREFIX}of-my-own`);
  mkdirSync(dataDir);
  markKept(dataDir);
  const folder = moved(dataDir);
  renameSync(dataDir, join(kept, "in-earnest"));
  expect(clearMovedClusters(shared)).toEqual([]);
  expect(moved(join(kept, "in-earnest"))).toBe(folder);
});
