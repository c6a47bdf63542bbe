import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { replayHistories, type ReplayReport } from "../../src/cli/replay/replay-histories.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import * as workflows from "../../workflows/index.ts";
import { SCENARIOS } from "./scenarios.ts";

const HISTORIES = fileURLToPath(new URL("./histories", import.meta.url));
const CACHE_DIR = process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo");
let folder: string;
let bundlePath: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saldo-replay-"));
  bundlePath = await buildWorkflowBundle(CACHE_DIR);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function replayText(name: string, text: string): Promise<ReplayReport> {
  const file = join(folder, name);
  await writeFile(file, text);
  const [report] = await replayHistories([file], bundlePath);
  return report as ReplayReport;
}

describe("the replay of recorded histories", () => {
  it("finds a history for every scenario and every type of workflow that workers run, and today's workflows take the same way as each", async () => {
    const files = (await readdir(HISTORIES)).filter((name) => name.endsWith(".json")).map((name) => join(HISTORIES, name));
    expect(files.map((file) => basename(file, ".json"))).toEqual(expect.arrayContaining(Object.keys(SCENARIOS)));
    const reports = await replayHistories(files, bundlePath);
    expect(reports.filter((report) => !report.ok)).toEqual([]);
    const types = new Set(reports.map(({ workflow }) => workflow));
    expect(Object.keys(workflows).filter((type) => !types.has(type))).toEqual([]);
  });

  it("fails on a history that these workflows would not have made", async () => {
    const recorded = JSON.parse(await readFile(join(HISTORIES, "reservation-expired.json"), "utf8")) as {
      events: { timerStartedEventAttributes?: unknown }[];
    };
    const timer = recorded.events.findIndex((event) => event.timerStartedEventAttributes !== undefined);
    expect(timer).toBeGreaterThan(0);
    const text = JSON.stringify(recorded).replaceAll("EVENT_TYPE_TIMER_STARTED", "EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED");
    expect(await replayText("other-way.json", text)).toMatchObject({ ok: false, workflow: "reservation" });
  });

  it("names what is wrong with a file that is no history", async () => {
    expect(await replayText("broken.json", "{")).toMatchObject({ ok: false, reason: expect.stringContaining("not JSON") as string });
    expect(await replayText("empty.json", "{}")).toMatchObject({ ok: false, reason: expect.stringContaining("no events") as string });
    expect(await replayText("part.json", '{"events":[{"eventId":"7"}]}')).toMatchObject({
      ok: false,
      reason: expect.stringContaining("not the start") as string,
    });
    const [missing] = await replayHistories([join(folder, "nowhere.json")], bundlePath);
    expect(missing).toMatchObject({ ok: false, reason: expect.stringContaining("ENOENT") as string });
  });
});
