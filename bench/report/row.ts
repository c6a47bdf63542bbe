import type { CpuByProcess } from "../measure/cpu-by-process.ts";
import { median } from "../measure/median.ts";
import { medianCpu, ratioOf, spreadOf, type Ratio, type SideRounds } from "../measure/rounds.ts";
import { ROW_TEXTS, type Goal, type RowName, type RowText } from "./row-texts.ts";

/** A side of a row over all rounds. */
export interface RowSide {
  readonly median: number;
  readonly figures: readonly number[];
  /** Processor time per operation in milliseconds, by process; empty on a system that does not tell. */
  readonly cpuMs: CpuByProcess;
}

/** One line of the benchmark. */
export interface Row extends RowText {
  readonly name: RowName;
  readonly ours: RowSide;
  /** The baseline's side; undefined for an absolute row. */
  readonly compared?: RowSide;
  /** What the goal is about: the ratio ours / baseline of the rounds, or the figure itself when there is no baseline. */
  readonly value: Ratio;
  /** What was seen besides, in whole sentences. */
  readonly notes: readonly string[];
}

/** The row of two sides that were measured in the same rounds. */
export function ratioRow(name: RowName, ours: SideRounds, baseline: SideRounds, notes: readonly string[] = []): Row {
  return {
    ...ROW_TEXTS[name],
    name,
    ours: sideOf(ours),
    compared: sideOf(baseline),
    value: ratioOf(ours.figures, baseline.figures),
    notes,
  };
}

/** A row without a baseline. */
export function absoluteRow(name: RowName, figures: readonly number[], notes: readonly string[] = []): Row {
  return { ...ROW_TEXTS[name], name, ours: sideOf({ figures, cpuMs: [] }), value: spreadOf(figures), notes };
}

/** True when the value is on the right side of the goal; undefined without a goal. */
export function meetsGoal({ value, goal }: { readonly value: Ratio; readonly goal?: Goal }): boolean | undefined {
  if (goal === undefined) return undefined;
  return "atLeast" in goal ? value.median >= goal.atLeast : value.median <= goal.atMost;
}

function sideOf({ figures, cpuMs }: SideRounds): RowSide {
  return { median: median(figures), figures, cpuMs: medianCpu(cpuMs) };
}
