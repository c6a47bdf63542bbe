import { serverTitle, type ServerName } from "../progress.ts";
import { sentenceOf } from "../stack-error.ts";
import type { ServerProcess } from "./process.ts";

/** What happened to a server after it was ready: it ended and is started again (`down`), or it runs again (`back`). `detail` is a sentence. */
export type ServerEvent = { readonly server: ServerName; readonly state: "down" | "back"; readonly detail: string };

export type KeepTimes = {
  /** The wait before the first restart; doubled for each failure in a row. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** A server that lived this long is healthy: its next restart waits only the minimum again. */
  readonly healthyAfterMs: number;
};

const TIMES: KeepTimes = { minBackoffMs: 200, maxBackoffMs: 30_000, healthyAfterMs: 10_000 };

/**
 * Starts a server by `launch`, which settles when the server answers, and starts it again the same way whenever it ends: on the same
 * port with the same data. The returned function stops it for good; safe to retry.
 * Throws: what the first `launch` throws. Later launches are repeated without end.
 */
export async function keepServer(options: {
  server: ServerName;
  launch: (signal: AbortSignal) => Promise<ServerProcess>;
  signal?: AbortSignal | undefined;
  onEvent?: ((event: ServerEvent) => void) | undefined;
  times?: Partial<KeepTimes>;
}): Promise<() => Promise<void>> {
  const times = { ...TIMES, ...options.times };
  const title = serverTitle(options.server);
  const stop = new AbortController();
  const tell = (state: ServerEvent["state"], detail: string) => options.onEvent?.({ server: options.server, state, detail });
  let failuresInARow = 0;
  let restart: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const launchAgain = async (downAtMs: number) => {
    try {
      watch(await options.launch(stop.signal));
      const seconds = ((performance.now() - downAtMs) / 1000).toFixed(1);
      tell("back", `${title} runs again after ${seconds} s (process ${current.pid}).`);
    } catch (error) {
      if (!stop.signal.aborted) plan(sentenceOf(error), downAtMs);
    }
  };
  const plan = (reason: string, downAtMs: number) => {
    failuresInARow += 1;
    const waitMs = Math.min(times.maxBackoffMs, times.minBackoffMs * 2 ** (failuresInARow - 1));
    tell("down", `${reason.replace(/\.$/, "")}; it is started again in ${waitMs} ms.`);
    timer = setTimeout(() => {
      restart = launchAgain(downAtMs);
    }, waitMs);
  };
  const watch = (server: ServerProcess) => {
    const bornAtMs = performance.now();
    current = server;
    void server.exited.then((cause) => {
      if (stop.signal.aborted) return;
      const diedAtMs = performance.now();
      if (diedAtMs - bornAtMs >= times.healthyAfterMs) failuresInARow = 0;
      plan(`${title} ended (${cause}; log: ${server.logFile})`, diedAtMs);
    });
  };

  let current = await options.launch(options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]));
  watch(current);
  let stopping: Promise<void> | undefined;
  return () =>
    (stopping ??= (async () => {
      stop.abort();
      clearTimeout(timer);
      await restart;
      await current.stop();
    })());
}
