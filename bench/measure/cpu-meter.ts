import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cpuByLabel, type CpuByProcess } from "./cpu-by-process.ts";
import { parsePeakMemory, parseProcStat, type ProcStat } from "./proc-stat.ts";

/** Reads the processor time of labelled processes. */
export interface CpuMeter {
  /** Gives a process a label; its children, and theirs, count with it. */
  label(pid: number, label: string): void;
  /** Labels what is recorded in a folder of process records, at each reading anew: a role that died has another process then. */
  labelRecorded(folder: string): void;
  /** Takes a label away, when the process has ended. */
  forget(pid: number): void;
  /** What each label has spent until now; undefined on a system without /proc. */
  read(): CpuByProcess | undefined;
}

/** A meter that knows this process as `bench`. */
export function createCpuMeter(): CpuMeter {
  const labels = new Map([[process.pid, "bench"]]);
  const folders = new Set<string>();
  return {
    label: (pid, label) => void labels.set(pid, label),
    labelRecorded: (folder) => void folders.add(folder),
    forget: (pid) => void labels.delete(pid),
    read() {
      const stats = readAllStats();
      const recorded = [...folders].flatMap(readRecords);
      return stats.length === 0 ? undefined : cpuByLabel(stats, new Map([...labels, ...recorded]));
    },
  };
}

/** The peak of a process's resident memory in bytes; undefined on a system without /proc. */
export function peakMemoryOf(pid: number): number | undefined {
  const text = readOrNothing(`/proc/${pid}/status`);
  return text === undefined ? undefined : parsePeakMemory(text);
}

function readRecords(folder: string): [number, string][] {
  const names = namesIn(folder).filter((name) => name.endsWith(".json"));
  return names.flatMap((name): [number, string][] => {
    const text = readOrNothing(join(folder, name));
    const pid = Number(/"pid":\s*(\d+)/.exec(text ?? "")?.[1]);
    return Number.isInteger(pid) ? [[pid, name.slice(0, -".json".length)]] : [];
  });
}

function readAllStats(): ProcStat[] {
  const pids = namesIn("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const text = readOrNothing(`/proc/${pid}/stat`);
    return text === undefined ? [] : (parseProcStat(text) ?? []);
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

// A process may end between the listing and the reading.
function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
