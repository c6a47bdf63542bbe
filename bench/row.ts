import { median, type Rounds } from "./rounds.ts";

/** One line of the benchmark: two figures of one unit from one run, and the ratio that counts. */
export interface Row {
  readonly name: string;
  readonly what: string;
  readonly baseline: string;
  readonly unit: string;
  /** Medians of the rounds. */
  readonly oursMedian: number;
  readonly baselineMedian: number;
  /** Median of the rounds' ratios ours / baseline. */
  readonly ratio: number;
  /** Without a goal the row is only for comparison. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number };
  readonly rounds: Rounds;
}

/** The row of a pair that was measured in rounds. */
export function makeRow(text: Pick<Row, "name" | "what" | "baseline" | "unit" | "goal">, rounds: Rounds): Row {
  return { ...text, oursMedian: median(rounds.ours), baselineMedian: median(rounds.baseline), ratio: rounds.ratio, rounds };
}

/** True when the ratio is on the right side of the goal; undefined without a goal. */
export function meetsGoal({ ratio, goal }: Pick<Row, "ratio" | "goal">): boolean | undefined {
  if (goal === undefined) return undefined;
  return "atLeast" in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;
}

/** The rows as a Markdown table. */
export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name,
    row.what,
    figure(row.oursMedian, row.unit),
    row.baseline,
    figure(row.baselineMedian, row.unit),
    row.ratio.toFixed(2),
    goalText(row),
    verdict(row),
  ]);
  const table = [["row", "Saldo", "", "baseline", "", "ratio", "goal", ""], ...cells];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0))) ?? [];
  const lines = table.map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
  return [lines[0], `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...lines.slice(1)].join("\n");
}

function figure(value: number, unit: string): string {
  return `${value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1)} ${unit}`;
}

function goalText({ goal }: Row): string {
  if (goal === undefined) return "";
  return "atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

function verdict(row: Row): string {
  const met = meetsGoal(row);
  if (met === undefined) return "";
  return met ? "met" : "missed";
}
