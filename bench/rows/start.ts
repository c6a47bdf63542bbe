import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { within } from "../measure/within.ts";
import type { Plan } from "../plan.ts";
import { absoluteRow, type Row } from "../report/row.ts";
import { benchEnvironment } from "../system/start-system.ts";

const START = fileURLToPath(new URL("../../src/cli/start.ts", import.meta.url));
const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const READY_MS = 120_000;
const STOP_MS = 60_000;
/** How often a start is measured in a full run; a start does not get better by being repeated in a row. */
const MOST_STARTS = 5;

/** The time from the start of `npm start` with throw-away data until everything is ready. The first start fills the caches and does not count. */
export async function measureStart(plan: Plan): Promise<Row[]> {
  const starts = Math.min(MOST_STARTS, Math.ceil(plan.rounds / 2));
  plan.say(`start: one to warm the caches, then ${starts}`);
  await secondsToReady();
  const seconds: number[] = [];
  for (let start = 0; start < starts; start += 1) seconds.push(await secondsToReady());
  return [absoluteRow("start", seconds)];
}

async function secondsToReady(): Promise<number> {
  const environment = await benchEnvironment();
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, ["--import", "tsx", START, "--ephemeral", "--json"], {
    cwd: PROJECT,
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  const killAtExit = () => void child.kill("SIGTERM");
  process.on("exit", killAtExit);
  try {
    const ready = new Promise<void>((resolve, reject) => {
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString("utf8");
        if (/^\{"event":"ready"/m.test(output)) resolve();
      });
      void ended.then(() => reject(new Error(`npm start ended before it was ready: ${output.slice(-500)}`)));
    });
    await within(READY_MS, "npm start", ready);
    return (performance.now() - startedAtMs) / 1_000;
  } finally {
    child.kill("SIGINT");
    await within(STOP_MS, "the end of npm start", ended).catch(() => child.kill("SIGKILL"));
    process.off("exit", killAtExit);
  }
}
