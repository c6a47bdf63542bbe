import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, inject, test, vi } from "vitest";
import { freePort } from "../free-port.ts";
import { newClusterId, startKafka } from "./kafka.ts";

const KAFKA_IS_HERE = (inject("kafkaBrokers") as readonly string[] | undefined) !== undefined;
const folders: string[] = [];

afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

test("a cluster's id never begins with a dash, which the formatting tool would take for an option", () => {
  const drawn = [Buffer.alloc(16, 0xfb), Buffer.alloc(16, 0xf8), Buffer.alloc(16, 1)];
  expect(Buffer.alloc(16, 0xf8).toString("base64url")).toMatch(/^-/);
  expect(newClusterId(() => drawn.shift() ?? Buffer.alloc(16))).toBe(Buffer.alloc(16, 1).toString("base64url"));
});

// apache/kafka#4469 and its like: a path that is not plain. Ours broke at what is not ASCII and at a comma, and in the locale C once more.
test.skipIf(!KAFKA_IS_HERE)(
  "starts twice in a folder whose path has blanks, a comma, quotes, umlauts and a percent sign, in the locale C",
  { timeout: 180_000 },
  async () => {
    vi.stubEnv("LC_ALL", "C");
    const outer = mkdtempSync(join(tmpdir(), "saldo-kafka-"));
    folders.push(outer);
    const dataDir = join(outer, "a, 'b' (ünï) #1 50%41");
    const context = { dataDir, cacheDir: inject("cacheDir"), ephemeral: false, report: () => {} };
    const ids: string[] = [];
    for (const port of [await freePort(), await freePort()]) {
      const kafka = await startKafka(context, { port });
      ids.push(
        readFileSync(join(dataDir, "kafka", "data", "meta.properties"), "utf8")
          .split("\n")
          .find((line) => line.startsWith("cluster.id")) ?? "",
      );
      await kafka.stop();
    }
    expect(new Set(ids)).toEqual(new Set([expect.stringMatching(/^cluster\.id=.{22}$/)]));
    expect(readdirSync(outer)).toEqual(["a, 'b' (ünï) #1 50%41"]);
  },
);
