/** How often a key was counted in its window, and when the window ends, in milliseconds of `nowMs`. */
export interface Count {
  readonly count: number;
  readonly endsAtMs: number;
}

/** Counts per key in windows of a fixed length, in the memory of one process. A window begins with its first count. */
export interface LocalWindows {
  /** Counts one more. */
  add(key: string): Count;
  /** The running window, if there is one. */
  get(key: string): Count | undefined;
  /** Takes over what another counter knows. */
  set(key: string, count: Count): void;
  /** How many keys are remembered. */
  size(): number;
}

/** How often windows that have ended are forgotten, in calls. */
const SWEEP_EVERY = 1_024;

/** Windows of `windowMs`. Those that have ended are forgotten, so that a flood of new keys costs no more than one window's. */
export function createLocalWindows(windowMs: number, nowMs: () => number): LocalWindows {
  const windows = new Map<string, Count>();
  let calls = 0;
  const running = (key: string): Count | undefined => {
    const known = windows.get(key);
    return known !== undefined && known.endsAtMs > nowMs() ? known : undefined;
  };
  const keep = (key: string, count: Count): void => {
    calls += 1;
    if (calls % SWEEP_EVERY === 0) for (const [old, { endsAtMs }] of windows) if (endsAtMs <= nowMs()) windows.delete(old);
    windows.set(key, count);
  };
  return {
    add(key) {
      const known = running(key);
      const next = known === undefined ? { count: 1, endsAtMs: nowMs() + windowMs } : { ...known, count: known.count + 1 };
      keep(key, next);
      return next;
    },
    get: running,
    set: keep,
    size: () => windows.size,
  };
}
