import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, inject, test } from "vitest";
import { freePort } from "../free-port.ts";
import { startTemporal } from "./temporal.ts";

const TEMPORAL_IS_HERE = (inject("temporalAddress") as string | undefined) !== undefined;
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

// symfony/symfony#45295, gastownhall/beads#2150: SQLite cuts a path at `#`.
test.skipIf(!TEMPORAL_IS_HERE).each(["a #1", "b?c=d", "50%41, 'ü'"])(
  "keeps its state in the data folder when that is named %s",
  { timeout: 120_000 },
  async (name) => {
    const outer = mkdtempSync(join(tmpdir(), "saldo-temporal-"));
    folders.push(outer);
    const dataDir = join(outer, name);
    const [port, uiPort, metricsPort, httpPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const context = { dataDir, cacheDir: inject("cacheDir"), ephemeral: true, report: () => {} };
    const temporal = await startTemporal(context, { port, uiPort, metricsPort, httpPort });
    await temporal.stop();
    expect(readdirSync(outer)).toEqual([name]);
    expect(readdirSync(join(dataDir, "temporal"))).toContain("temporal.db");
  },
);
