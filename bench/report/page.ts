import type { Failure } from "../sections.ts";
import type { LoadPlot } from "./load-plot.ts";
import type { Machine } from "./machine.ts";
import { ROW_NAMES, ROW_TEXTS } from "./row-texts.ts";
import type { Row } from "./row.ts";
import { figureText, goalText, markdownTable, ratioText, renderCpu, verdict } from "./table.ts";

/** Everything that a run gave. */
export interface Run {
  readonly measuredAt: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly rows: readonly Row[];
  readonly plots: readonly LoadPlot[];
  readonly failures: readonly Failure[];
}

/** `docs/performance.md` as a run writes it. */
export function renderPage(run: Run): string {
  const rows = run.rows.toSorted((a, b) => ROW_NAMES.indexOf(a.name) - ROW_NAMES.indexOf(b.name));
  return [
    "# Performance",
    "",
    "Written by `npm run bench` (a full run, or `-- --write`); not to be edited by hand.",
    "",
    ...machineLines(run),
    ...METHOD,
    ...failureLines(run.failures),
    "## The rows",
    "",
    rowTable(rows),
    "",
    ...notesOf(rows),
    "## Processor time by process",
    "",
    "Milliseconds of processor per operation, the median of the rounds: it shows the cause where operations per second show only the effect. `bench` is the load generator, which stands for a client on another machine; `baseline` and `dbos` run the baselines; every process counts with its children. The roles of Saldo run idle during a baseline, and what they spend then is shown as well.",
    "",
    renderCpu(rows),
    "",
    "## What bounds each row",
    "",
    ...ROW_NAMES.map((name) => `- **${name}**: ${ROW_TEXTS[name].bounds}`),
    "",
    "## How cost grows",
    "",
    ...GROWTH.map((line) => `- ${line}`),
    "",
    "## Latency against load",
    "",
    ...plotLines(run.plots),
  ].join("\n");
}

function machineLines({ measuredAt, machine, rounds }: Run): string[] {
  const { processor, cores, memoryGigabytes, system, node, commit } = machine;
  return [
    `Measured on ${measuredAt.slice(0, 10)} at commit ${commit}, in ${rounds} rounds, on ${cores} cores (${processor}), ${memoryGigabytes} GB, ${system}, Node ${node}. All servers, all roles and the load generator ran on this one machine.`,
    "",
    "**Absolute figures mean nothing on another machine, and little on this one at another hour: a shared machine changes its speed by a factor of two within minutes. The ratios are what is measured.**",
    "",
  ];
}

const METHOD = [
  "## Method",
  "",
  "- Each row has a baseline that runs on the same servers in the same minute. A round measures every side once, and the next round begins with another side. The ratio of a row is the **median of the rounds' own ratios**, with the smallest and the largest beside it; figures of different rounds are never compared.",
  "- Whoever compares two versions of Saldo does the same: pairs that alternate within one run, ten or more, the median of their ratios, and rather processor time per operation than operations per second. Two runs one after the other say nothing: an effect of 30 % that showed in two runs was gone in eight alternating pairs.",
  "- Closed loops (the rows) keep a number of operations in flight; open loops (the plots) send at a rate whatever becomes of what was sent, and count a latency from the planned moment.",
  "- After each row the money is counted and the books are audited. The benchmark fails on a wrong result, never on a slow one.",
  "- Orders, deposits and reservations are waited for until their messages are published before the next side begins, so that no side pays for another one's messages.",
  "- Rates per second of `orders` begin with 50 orders that start at once and end when the last is answered.",
  "",
];

const GROWTH = [
  "With **load**: see the plots. Up to what the machine bears the latency hardly rises; beyond it the api refuses with 503 and `Retry-After` rather than let everybody wait, and events wait in Kafka.",
  "With **accounts and postings**: the row `big-transfers`. Every look-up of the ledger is by key, so a transfer grows with the depth of a B-tree.",
  "With a **hot account**: the rows `transfers` and `hot-transfers`. A batch takes the account's lock once for all its operations.",
  "With the **length of a month**: the row `report`. The time grows with the month's postings and not with those of other months; the memory grows with neither, because the lines are streamed.",
  "With the **lines of an order**: one hold and one posting for each, in the same statement; the number of statements and workflow tasks stays.",
  "With **steps of a workflow**: the rows `workflow-*`. Each local activity costs one more activation in the worker and nothing on Temporal's server.",
];

function rowTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    `**${row.name}**`,
    row.what,
    figureText(row.ours.median, row.unit),
    row.baseline ?? "–",
    row.compared === undefined ? "" : figureText(row.compared.median, row.unit),
    row.compared === undefined ? "" : ratioText(row.value),
    goalText(row),
    verdict(row),
  ]);
  return markdownTable(["row", "Saldo", "", "baseline", "", "ratio (min–max)", "goal", ""], lines);
}

function notesOf(rows: readonly Row[]): string[] {
  const notes = rows.flatMap(({ name, notes: told }) => told.map((note) => `- \`${name}\`: ${note}`));
  return notes.length === 0 ? [] : [...notes, ""];
}

function failureLines(failures: readonly Failure[]): string[] {
  if (failures.length === 0) return [];
  return ["## Not measured", "", ...failures.map(({ section, reason }) => `- ${section}: ${reason}`), ""];
}

function plotLines(plots: readonly LoadPlot[]): string[] {
  if (plots.length === 0) return ["Not measured in this run.", ""];
  return plots.flatMap(({ name, title, levels }) => [
    `### ${title}`,
    "",
    `![${title}: latency and refusals against load](performance/${name}.svg)`,
    "",
    markdownTable(
      ["arrivals", "accepted", "refused (503)", "p50", "p99"],
      levels.map((level) => [
        figureText(level.offeredPerSecond, "/s"),
        figureText(level.acceptedPerSecond, "/s"),
        level.refused === 0 ? "none" : figureText(level.refusedPerSecond, "/s"),
        figureText(level.p50Ms, "ms"),
        figureText(level.p99Ms, "ms"),
      ]),
    ),
    "",
  ]);
}
