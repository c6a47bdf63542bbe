import type { Ratio } from "../measure/rounds.ts";
import { meetsGoal, type Row } from "./row.ts";

/** Cells as a Markdown table whose columns are as wide as their widest cell. */
export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) => Math.max(3, cell.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const text = (cells: readonly string[]) => `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |`;
  return [text(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...lines.map(text)].join("\n");
}

/** The rows as a Markdown table: both sides, the ratio with the smallest and largest of its rounds, the goal. */
export function renderRows(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.name,
    row.what,
    figureText(row.ours.median, row.unit),
    row.baseline ?? "–",
    row.compared === undefined ? "" : figureText(row.compared.median, row.unit),
    row.compared === undefined ? `${figureText(row.value.median, row.unit)} (${spreadText(row.value)})` : ratioText(row.value),
    goalText(row),
    verdict(row),
  ]);
  return markdownTable(["row", "Saldo", "", "baseline", "", "ratio (min–max)", "goal", ""], lines);
}

/** The processor time per operation of each process as a Markdown table, one line for each side that was measured: several rows may share one. */
export function renderCpu(rows: readonly Row[]): string {
  const sides = rows.flatMap((row) => [
    { name: row.name, side: "Saldo", cpuMs: row.ours.cpuMs },
    ...(row.compared === undefined ? [] : [{ name: row.name, side: "baseline", cpuMs: row.compared.cpuMs }]),
  ]);
  const inOrder = new Set(PROCESSES);
  const known = new Set(sides.flatMap(({ cpuMs }) => Object.keys(cpuMs)));
  const labels = [...PROCESSES.filter((label) => known.has(label)), ...[...known].filter((label) => !inOrder.has(label)).toSorted()];
  if (labels.length === 0) return "Processor times are not known here: there is no /proc, or no row that has them was measured.";
  const seen = new Set<string>();
  const isNew = (cpuMs: object) => seen.size !== seen.add(JSON.stringify(cpuMs)).size;
  const lines = sides
    .filter(({ cpuMs }) => Object.keys(cpuMs).length > 0 && isNew(cpuMs))
    .map(({ name, side, cpuMs }) => [name, side].concat(labels.map((label) => cpuText(cpuMs[label]))));
  return markdownTable(["row", "side", ...labels], lines);
}

/** The processes in the order of the table; others follow. */
const PROCESSES = ["api", "worker", "bridge", "relay", "psp", "temporal", "postgres", "kafka", "redis", "baseline", "bench"];

/** A figure with its unit. */
export function figureText(value: number, unit: string): string {
  if (!Number.isFinite(value)) return "–";
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}${unit === "/s" ? unit : ` ${unit}`}`;
}

/** A ratio with the smallest and largest of its rounds. */
export function ratioText(value: Ratio): string {
  return `${value.median.toFixed(2)} (${spreadText(value)})`;
}

function spreadText({ min, max }: Ratio): string {
  return `${min.toFixed(2)}–${max.toFixed(2)}`;
}

function cpuText(ms: number | undefined): string {
  if (ms === undefined) return "";
  if (ms >= 10) return ms.toFixed(0);
  return ms >= 0.1 ? ms.toFixed(1) : ms.toFixed(2);
}

/** The goal in words; empty without one. */
export function goalText({ goal }: Pick<Row, "goal">): string {
  if (goal === undefined) return "";
  return "atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

/** Whether the goal is met, in a word; empty without one. */
export function verdict(row: Pick<Row, "value" | "goal">): string {
  const met = meetsGoal(row);
  if (met === undefined) return "";
  return met ? "met" : "missed";
}
