import { cpuPerOperation, type CpuByProcess } from "./cpu-by-process.ts";
import type { CpuMeter } from "./cpu-meter.ts";
import { median } from "./median.ts";

/** What one round of a side gave: its figure, and how many operations were done for it. */
export interface Sample {
  readonly figure: number;
  readonly operations: number;
}

export type Side = () => Promise<Sample>;

/** All rounds of a side. `cpuMs`: processor time per operation by process, one entry a round; empty on a system that does not tell. */
export interface SideRounds {
  readonly figures: readonly number[];
  readonly cpuMs: readonly CpuByProcess[];
}

/**
 * Measures sides in turn, `count` times, and changes which goes first each time: a machine that slows down meanwhile slows all of them.
 * Figures are compared only within a round. Throws: what a side throws.
 */
export async function measureRounds<Name extends string>(
  count: number,
  sides: Readonly<Record<Name, Side>>,
  meter: Pick<CpuMeter, "read">,
): Promise<Record<Name, SideRounds>> {
  const names = Object.keys(sides) as Name[];
  const kept = Object.fromEntries(names.map((name) => [name, { figures: [], cpuMs: [] }])) as unknown as Record<Name, KeptRounds>;
  for (let round = 0; round < count; round += 1)
    for (const name of rotated(names, round)) {
      const before = meter.read();
      const { figure, operations } = await sides[name]();
      const after = meter.read();
      kept[name].figures.push(figure);
      if (before !== undefined && after !== undefined && operations > 0) kept[name].cpuMs.push(cpuPerOperation(before, after, operations));
    }
  return kept;
}

interface KeptRounds extends SideRounds {
  readonly figures: number[];
  readonly cpuMs: CpuByProcess[];
}

/** A ratio over many rounds: the median of the rounds' own ratios, with the smallest and the largest. */
export interface Ratio {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The ratio ours / baseline of figures that stand in the same order. */
export function ratioOf(ours: readonly number[], baseline: readonly number[]): Ratio {
  return spreadOf(ours.map((figure, round) => figure / (baseline[round] ?? Number.NaN)));
}

/** The median, the smallest and the largest of some figures. */
export function spreadOf(figures: readonly number[]): Ratio {
  return { median: median(figures), min: Math.min(...figures), max: Math.max(...figures) };
}

/** Per process, the median of its rounds. A process that some round lacks is left out. */
export function medianCpu(rounds: readonly CpuByProcess[]): CpuByProcess {
  const labels = Object.keys(rounds[0] ?? {}).filter((label) => rounds.every((round) => round[label] !== undefined));
  return Object.fromEntries(labels.map((label) => [label, median(rounds.map((round) => round[label] ?? 0))]));
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const from = by % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}
