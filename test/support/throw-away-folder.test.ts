import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { isAbandoned } from "../../src/stack/processes/abandoned.ts";
import { isInThrowAwayFolder, TEST_RUN_PREFIX } from "../../src/stack/processes/throw-away.ts";
import { makeThrowAwayFolder } from "./throw-away-folder.ts";

test("a folder of a chaos run is one that clean-up looks at, and is left alone while its run lives", () => {
  const folder = makeThrowAwayFolder("of-a-run");
  expect(basename(folder)).toMatch(new RegExp(`^${TEST_RUN_PREFIX}of-a-run-`));
  expect(folder.startsWith(tmpdir())).toBe(true);
  expect([isInThrowAwayFolder(join(folder, "data")), isAbandoned(folder)]).toEqual([true, false]);
  rmSync(join(folder, "lock"));
  rmSync(folder, { recursive: true });
});
