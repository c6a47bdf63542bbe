/** The part of a terminal that a progress bar needs; `process.stderr` is one. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressBar {
  /** Sets how much is done. `detail` stands behind the figures. */
  update(done: number, detail?: string): void;
  /** Draws the last state and ends the line. Safe to retry. */
  finish(detail?: string): void;
}

export interface ProgressBarOptions {
  readonly label: string;
  /** The unit that is counted, such as "rows". */
  readonly unit: string;
  /** How much there is to do. While it is not known there are only figures, no bar and no ETA. */
  readonly total?: number | undefined;
  /** How much was done before the bar began; the rate leaves it out. */
  readonly startsAt?: number;
  readonly stream: ProgressStream;
  readonly nowMs?: () => number;
}

const REDRAW_MS = 100;
const LINE_EVERY_MS = 2_000;
const BAR_WIDTH = 24;

/**
 * Shows the progress of long work, with rate and ETA: a bar that redraws itself on a terminal, a line every two seconds
 * elsewhere.
 */
export function createProgressBar(options: ProgressBarOptions): ProgressBar {
  const { stream, startsAt = 0, nowMs = () => performance.now() } = options;
  const onTerminal = stream.isTTY === true;
  const startedAtMs = nowMs();
  let state = { done: startsAt, detail: "" };
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  let finished = false;

  const draw = () => {
    drawnAtMs = nowMs();
    const line = describeProgress({ ...options, ...state, startsAt, elapsedMs: drawnAtMs - startedAtMs });
    stream.write(onTerminal ? `\r\u001B[2K${line.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}` : `${line}\n`);
  };

  return {
    update(done, detail = state.detail) {
      state = { done, detail };
      if (!finished && nowMs() - drawnAtMs >= (onTerminal ? REDRAW_MS : LINE_EVERY_MS)) draw();
    },
    finish(detail = state.detail) {
      if (finished) return;
      finished = true;
      state = { ...state, detail };
      draw();
      if (onTerminal) stream.write("\n");
    },
  };
}

/** One line: label, bar, count, rate and the time that is left. */
export function describeProgress(input: {
  readonly label: string;
  readonly unit: string;
  readonly total?: number | undefined;
  readonly done: number;
  readonly detail: string;
  readonly startsAt: number;
  readonly elapsedMs: number;
}): string {
  const { label, unit, total, done, detail, startsAt, elapsedMs } = input;
  const perSecond = elapsedMs > 0 ? ((done - startsAt) * 1000) / elapsedMs : 0;
  const rate = `${perSecond >= 10 ? Math.round(perSecond).toLocaleString("en-US") : perSecond.toFixed(1)} ${unit}/s`;
  const words = detail === "" ? [] : [detail];
  if (total === undefined) return [label, done.toLocaleString("en-US"), unit, rate, ...words].join("  ");
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(part * BAR_WIDTH);
  const bar = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  const count = `${done.toLocaleString("en-US")}/${total.toLocaleString("en-US")} ${unit}`;
  const eta =
    part >= 1 ? `in ${describeDuration(elapsedMs)}` : `ETA ${perSecond > 0 ? describeDuration(((total - done) * 1000) / perSecond) : "–"}`;
  return [label, bar, `${Math.floor(part * 100)}%`, count, rate, eta, ...words].join("  ");
}

function describeDuration(durationMs: number): string {
  const seconds = Math.ceil(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
