/** What the kernel says of one process. Times are in clock ticks, memory in pages. */
export interface ProcStat {
  readonly pid: number;
  readonly parentPid: number;
  /** Of the process itself, all its threads, those that have ended included. */
  readonly ownTicks: number;
  /** Of children that have ended and were waited for. */
  readonly endedChildrenTicks: number;
}

/**
 * Reads the text of /proc/PID/stat (proc_pid_stat(5)). Undefined when it is not in that form. The name of the program stands in brackets
 * and may hold spaces and brackets itself, so the fields are counted from the last bracket.
 */
export function parseProcStat(text: string): ProcStat | undefined {
  const pid = Number.parseInt(text, 10);
  const fields = text
    .slice(text.lastIndexOf(")") + 1)
    .trim()
    .split(" ");
  // The field after the name is the third of the manual page.
  const field = (number: number) => Number(fields[number - 3]);
  const stat = { pid, parentPid: field(4), ownTicks: field(14) + field(15), endedChildrenTicks: field(16) + field(17) };
  return text.includes(")") && Object.values(stat).every(Number.isInteger) ? stat : undefined;
}

/** Reads the peak of a process's resident memory, in bytes, from the text of /proc/PID/status. Undefined when it does not say. */
export function parsePeakMemory(text: string): number | undefined {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(text) ?? [];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
}
