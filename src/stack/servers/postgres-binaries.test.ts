import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPostgresBinaries, isReachableBy } from "./postgres-binaries.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "saldo-reach-"));
  chmodSync(directory, 0o755);
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const STRANGER = { uid: 54_321, gid: 54_321 };
const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

test("a folder below one that is closed to the user cannot be reached, whether it exists yet or not", () => {
  const closed = join(directory, "home");
  mkdirSync(join(closed, "project"), { recursive: true });
  expect(isReachableBy(STRANGER, join(closed, "project", ".data"))).toBe(true);
  chmodSync(closed, 0o700);
  expect(isReachableBy(STRANGER, join(closed, "project"))).toBe(false);
  expect(isReachableBy(STRANGER, join(closed, "project", ".data"))).toBe(false);
  expect(isReachableBy(OWNER, join(closed, "project"))).toBe(true);
  chmodSync(closed, 0o711);
  expect(isReachableBy(STRANGER, join(closed, "project"))).toBe(true);
});

test("the pinned package is taken before any Postgres on PATH", async () => {
  await expect(findPostgresBinaries(undefined)).resolves.toMatchObject({ source: "package", majorVersion: 18 });
});
