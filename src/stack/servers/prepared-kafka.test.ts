import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { freePort } from "../free-port.ts";
import { KAFKA_CACHE_NAME, startKafka } from "./kafka.ts";
import { prepareKafka } from "./prepared-kafka.ts";

const KAFKA_IS_HERE = (inject("kafkaBrokers") as readonly string[] | undefined) !== undefined;
const ARCHIVE = "classes.jsa";
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "saldo-prepared-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("what an earlier Kafka has left", () => {
  /** A training of which no Kafka is part: it leaves the file of a new cluster, and the archive that it was asked for. */
  const trainTo =
    (log: string[], { archives = true, fails = false } = {}) =>
    async (jvm: readonly string[], home: string): Promise<void> => {
      log.push("trained");
      if (fails) throw new Error("no Kafka came up");
      mkdirSync(join(home, "data"));
      writeFileSync(join(home, "data", "bootstrap.checkpoint"), "new");
      const archive = jvm.find((option) => option.startsWith("-XX:ArchiveClassesAtExit="))?.split("=")[1] ?? "";
      if (archives) writeFileSync(archive, "classes");
    };
  async function prepare(name: string, train: (jvm: readonly string[], home: string) => Promise<void>) {
    const cacheDir = join(folder, name);
    const jars = join(cacheDir, "jars");
    mkdirSync(jars, { recursive: true });
    return await prepareKafka({ dataDir: folder, cacheDir, ephemeral: true, report: () => {} }, { java: process.execPath, jars, train });
  }

  test("is made once and found again", async () => {
    const log: string[] = [];
    const first = await prepare("once", trainTo(log));
    expect(first.jvm).toContainEqual(expect.stringMatching(/^-XX:SharedArchiveFile=.*classes\.jsa$/));
    expect(first.bootstrap).toMatch(/bootstrap\.checkpoint$/);
    expect(await prepare("once", trainTo(log))).toEqual(first);
    expect(log).toEqual(["trained"]);
  });

  test("is nothing where the training fails, and the next start trains again", async () => {
    const log: string[] = [];
    expect(await prepare("fails", trainTo(log, { fails: true }))).toEqual({ jvm: [], bootstrap: undefined });
    expect((await prepare("fails", trainTo(log))).bootstrap).toBeDefined();
    expect(log).toEqual(["trained", "trained"]);
  });

  test("names no archive where Java has written none", async () => {
    const prepared = await prepare("bare", trainTo([], { archives: false }));
    expect(prepared).toEqual({ jvm: [], bootstrap: expect.stringMatching(/bootstrap\.checkpoint$/) });
  });

  // As a full disk or a loss of power may leave it. A JVM aborts with an archive that is cut off.
  test.each([
    ["cut off", ARCHIVE, (file: string) => truncateSync(file, 3)],
    ["another one", ARCHIVE, (file: string) => writeFileSync(file, "clasSes")],
    ["gone", ARCHIVE, (file: string) => rmSync(file)],
    ["another one", "bootstrap.checkpoint", (file: string) => writeFileSync(file, "old")],
    ["gone", "digest", (file: string) => rmSync(file)],
  ])("is not used when a file is %s (%s), and is made again by the next start", async (how, name, spoil) => {
    const log: string[] = [];
    const place = `spoilt-${how}-${name}`;
    const { bootstrap = "" } = await prepare(place, trainTo(log));
    spoil(join(dirname(bootstrap), name));
    expect(await prepare(place, trainTo(log))).toEqual({ jvm: [], bootstrap: undefined });
    expect((await prepare(place, trainTo(log))).bootstrap).toBe(bootstrap);
    expect(log).toEqual(["trained", "trained"]);
  });
});

describe.skipIf(!KAFKA_IS_HERE)("Kafka comes up", () => {
  const steps: string[] = [];
  let archive: string;

  async function startAndStop(): Promise<string[]> {
    const dataDir = mkdtempSync(join(folder, "data-"));
    const cacheDir = join(folder, "cache");
    const report = (_state: string, detail: string) => void steps.push(detail);
    steps.length = 0;
    const kafka = await startKafka({ dataDir, cacheDir, ephemeral: true, report }, { port: await freePort() });
    await kafka.stop();
    return steps.filter((step) => step.startsWith("preparing"));
  }

  beforeAll(() => {
    mkdirSync(join(folder, "cache"));
    symlinkSync(join(inject("cacheDir"), KAFKA_CACHE_NAME), join(folder, "cache", KAFKA_CACHE_NAME));
  });

  test("where nothing is prepared, and then from what that start has prepared", { timeout: 240_000 }, async () => {
    expect(await startAndStop()).toHaveLength(1);
    const prepared = readdirSync(join(folder, "cache")).filter((name) => /^kafka-prepared-\w+$/.test(name));
    expect(prepared).toHaveLength(1);
    archive = join(folder, "cache", prepared[0] ?? "", ARCHIVE);
    expect(statSync(archive).size).toBeGreaterThan(1_000_000);
    expect(await startAndStop()).toEqual([]);
  });

  test("with an archive of which a page in the middle is zero", { timeout: 240_000 }, async () => {
    const file = openSync(archive, "r+");
    writeSync(file, Buffer.alloc(1 << 20), 0, 1 << 20, statSync(archive).size >> 1);
    closeSync(file);
    expect(await startAndStop()).toEqual([]);
  });
});
