import type { ProcStat } from "./proc-stat.ts";

/** Processor time in milliseconds, by the label of a process. */
export type CpuByProcess = Readonly<Record<string, number>>;

/** Linux counts in hundredths of a second for every program (USER_HZ), whatever the kernel's own clock is. */
const MS_PER_TICK = 10;

/**
 * The processor time of each labelled process with its children. A process without a label belongs to the nearest of its ancestors that
 * has one; a process without such an ancestor does not count. `labels` are by process id; several processes may have one label.
 */
export function cpuByLabel(stats: readonly ProcStat[], labels: ReadonlyMap<number, string>): CpuByProcess {
  const byPid = new Map(stats.map((stat) => [stat.pid, stat]));
  const sums: Record<string, number> = {};
  for (const label of labels.values()) sums[label] ??= 0;
  for (const stat of stats) {
    const label = labelOf(stat, byPid, labels);
    if (label !== undefined) sums[label] = (sums[label] ?? 0) + (stat.ownTicks + stat.endedChildrenTicks) * MS_PER_TICK;
  }
  return sums;
}

/** What was spent between two readings, per operation. A label that one of them lacks is left out: its process began or ended meanwhile. */
export function cpuPerOperation(before: CpuByProcess, after: CpuByProcess, operations: number): CpuByProcess {
  const spent = Object.keys(before).flatMap((label): [string, number][] => {
    const [from, to] = [before[label], after[label]];
    return from === undefined || to === undefined ? [] : [[label, Math.max(0, to - from) / operations]];
  });
  return Object.fromEntries(spent);
}

/** The sum of the labels that are wanted. */
export function cpuOf(cpu: CpuByProcess, isWanted: (label: string) => boolean): number {
  return Object.entries(cpu).reduce((sum, [label, ms]) => (isWanted(label) ? sum + ms : sum), 0);
}

function labelOf(stat: ProcStat, byPid: ReadonlyMap<number, ProcStat>, labels: ReadonlyMap<number, string>): string | undefined {
  const seen = new Set<number>();
  for (let at: ProcStat | undefined = stat; at !== undefined && !seen.has(at.pid); at = byPid.get(at.parentPid)) {
    seen.add(at.pid);
    const label = labels.get(at.pid);
    if (label !== undefined) return label;
  }
  return undefined;
}
