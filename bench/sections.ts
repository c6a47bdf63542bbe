import { messageOf } from "../src/base/errors.ts";
import { within } from "./measure/within.ts";
import type { LoadPlot } from "./report/load-plot.ts";
import type { Row } from "./report/row.ts";

/** Something that could not be measured, or was wrong. */
export interface Failure {
  readonly section: string;
  readonly reason: string;
}

/** Collects what the sections of a run gave. A section that fails does not stop the others. */
export interface Results {
  readonly rows: readonly Row[];
  readonly plots: readonly LoadPlot[];
  readonly failures: readonly Failure[];
  /** Runs a section for at most `deadlineMs` and keeps its rows, or why it failed. Throws: Stopped. */
  attempt(section: string, deadlineMs: number, measure: () => Promise<readonly Row[]>): Promise<void>;
  /** The same for a plot. */
  attemptPlot(section: string, deadlineMs: number, measure: () => Promise<LoadPlot>): Promise<void>;
  /** Starts a part, uses it, and stops it whatever happens. Throws: Stopped. */
  using<Part>(name: string, start: () => Promise<{ part: Part; stop(): Promise<void> }>, use: (part: Part) => Promise<void>): Promise<void>;
}

/** The run was told to stop. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

/** Makes an empty collection. When `signal` aborts, the section in hand ends with Stopped. */
export function createResults(signal: AbortSignal, say: (text: string) => void): Results {
  const rows: Row[] = [];
  const plots: LoadPlot[] = [];
  const failures: Failure[] = [];
  const fail = (section: string, error: unknown) => {
    if (signal.aborted) throw new Stopped("stopped");
    failures.push({ section, reason: messageOf(error) });
    say(`${section} FAILED: ${messageOf(error)}`);
  };
  const unlessStopped = <Result>(work: Promise<Result>) => Promise.race([work, whenStopped(signal)]);
  const attempt = async <Result>(section: string, deadlineMs: number, measure: () => Promise<Result>, use: (result: Result) => void) => {
    if (signal.aborted) throw new Stopped("stopped");
    try {
      use(await unlessStopped(within(deadlineMs, section, measure())));
    } catch (error) {
      fail(section, error);
    }
  };
  return {
    rows,
    plots,
    failures,
    attempt: (section, deadlineMs, measure) => attempt(section, deadlineMs, measure, (measured) => void rows.push(...measured)),
    attemptPlot: (section, deadlineMs, measure) => attempt(section, deadlineMs, measure, (plot) => void plots.push(plot)),
    async using(name, start, use) {
      if (signal.aborted) throw new Stopped("stopped");
      const starting = start();
      try {
        const { part } = await unlessStopped(starting);
        await use(part);
      } catch (error) {
        if (error instanceof Stopped) throw error;
        fail(name, error);
      } finally {
        // A part that still starts is waited for, and then stopped: nothing that was begun is left behind.
        await starting.then((started) => started.stop()).catch(() => undefined);
      }
    },
  };
}

function whenStopped(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = () => reject(new Stopped("stopped"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
