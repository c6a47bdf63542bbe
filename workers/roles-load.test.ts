import { build } from "esbuild";
import { expect, test } from "vitest";
import { PROJECT_DIR, ROLE_ENTRIES } from "../src/cli/start/role-entries.ts";

/** The packages that a process loads at its start. */
async function packagesOf(entry: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [entry],
    absWorkingDir: PROJECT_DIR,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  return Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
}

test.each(["relay", "psp"] as const)("the %s, which runs no workflows, loads nothing of what runs them", async (role) => {
  expect(await packagesOf(ROLE_ENTRIES[role])).not.toContain("@temporalio/worker");
});

test("a role that runs workflows is seen to load what runs them", async () => {
  expect(await packagesOf(ROLE_ENTRIES.worker)).toContain("@temporalio/worker");
});
