import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "../src/base/errors.ts";
import { NOT_QUICK } from "./groups.ts";
import { measureAll } from "./measure-all.ts";
import { createCpuMeter } from "./measure/cpu-meter.ts";
import { readOptions, USAGE, type Options } from "./options.ts";
import type { Plan } from "./plan.ts";
import { describeMachine } from "./report/machine.ts";
import type { Run } from "./report/page.ts";
import { ROW_NAMES } from "./report/row-texts.ts";
import { meetsGoal } from "./report/row.ts";
import { renderCpu, renderRows } from "./report/table.ts";
import { createResults, Stopped, type Results } from "./sections.ts";
import { writePage } from "./write-page.ts";

const RESULTS = fileURLToPath(new URL("results/", import.meta.url));
/** Enough rounds that a single disturbed round does not decide, and short enough to be run often. */
const QUICK = { rounds: 5, durationMs: 1_000, longMs: 2_000 };
const FULL = { rounds: 10, durationMs: 1_000, longMs: 2_000 };

/** The exit code of a program that Ctrl-C has ended. */
const STOPPED = 130;

process.exit(await main());

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    return await run(options);
  } catch (error) {
    process.stderr.write(`The benchmark failed: ${messageOf(error)}\n`);
    return 1;
  }
}

async function run(options: Options): Promise<number> {
  const interrupts = interruptible();
  const say = (text: string) => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
  const { rows } = options;
  const wanted: Plan["wanted"] = (row) => rows?.has(row) ?? (!options.quick || !NOT_QUICK.includes(row));
  const plan: Plan = { ...(options.quick ? QUICK : FULL), smaller: options.quick, wanted, say, meter: createCpuMeter() };
  const results = createResults(interrupts.signal, say);
  const isWhole = await wholeRun(measureAll(results, plan, { ...interrupts, ...options }));
  const result: Run = { measuredAt: new Date().toISOString(), machine: describeMachine(), rounds: plan.rounds, ...resultsOf(results) };
  const paths = [keep(result), ...(options.write && isWhole ? writePage(result) : [])];
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${textOf(results)}\nWritten: ${paths.join(", ")}\n`);
  if (!isWhole) return STOPPED;
  return results.failures.length === 0 ? 0 : 1;
}

/** False when the run was stopped before its end: what was measured until then is still told. */
async function wholeRun(measuring: Promise<void>): Promise<boolean> {
  try {
    await measuring;
    return true;
  } catch (error) {
    if (error instanceof Stopped) return false;
    throw error;
  }
}

function textOf(results: Results): string {
  const rows = results.rows.toSorted((a, b) => ROW_NAMES.indexOf(a.name) - ROW_NAMES.indexOf(b.name));
  const failures = results.failures.map(({ section, reason }) => `FAILED ${section}: ${reason}\n`).join("");
  const notes = rows.flatMap(({ name, notes: told }) => told.map((note) => `${name}: ${note}\n`)).join("");
  return `
${renderRows(rows)}

ratio: median of the rounds' own ratios, Saldo / baseline, with the smallest and the largest.
${notes}
processor time per operation in milliseconds, by process (bench: the load generator):
${renderCpu(rows)}

${failures}`;
}

function resultsOf({ rows, plots, failures }: Results): Pick<Run, "rows" | "plots" | "failures"> {
  return { rows: rows.map((row) => ({ ...row, met: meetsGoal(row) })), plots, failures };
}

function keep(result: Run): string {
  mkdirSync(RESULTS, { recursive: true });
  const path = join(RESULTS, `${result.measuredAt.replaceAll(":", "-")}.json`);
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
  return path;
}

/** The first Ctrl-C or SIGTERM aborts `signal`, another one kills everything and ends this process. */
function interruptible(): { signal: AbortSignal; onKillable: (kill: () => void) => void } {
  const stop = new AbortController();
  const kills: (() => void)[] = [];
  const killAll = () => {
    for (const kill of kills) kill();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(130);
      process.stderr.write("Stopping what was started (Ctrl-C again kills it) ...\n");
      stop.abort();
    });
  process.on("exit", killAll);
  return { signal: stop.signal, onKillable: (kill) => void kills.push(kill) };
}
