import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildWorkflowBundle } from "./workflow-bundle.ts";

let cacheDir: string;

beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "saldo-bundle-"));
});

afterAll(() => rm(cacheDir, { recursive: true, force: true }));

describe("the bundle of workflows", () => {
  it("is built once for the same sources, also by two at once, and holds every workflow", async () => {
    const [first, second] = await Promise.all([buildWorkflowBundle(cacheDir), buildWorkflowBundle(cacheDir)]);
    expect(second).toBe(first);
    const { mtimeMs } = await stat(first);
    expect(await buildWorkflowBundle(cacheDir)).toBe(first);
    expect((await stat(first)).mtimeMs).toBe(mtimeMs);
    expect(await readdir(join(cacheDir, "workflow-bundles"))).toHaveLength(1);
    const code = await readFile(first, "utf8");
    for (const workflow of ["closeMonth", "eventBatch", "orderSaga", "reservation", "revenueReport"])
      expect(code, workflow).toMatch(new RegExp(`async function ${workflow}\\(`));
  });
});
