/** After Ctrl-C a process gets SIGINT twice, from the terminal and from npm: orders within this time are one. */
const SAME_ORDER_MS = 500;

/** The orders to stop that a process gets, such as Ctrl-C or SIGTERM. */
export interface StopOrders {
  /** Aborts at the first order. */
  readonly signal: AbortSignal;
  /** Takes an order in: the `first` one; the `same` one, which reached the process twice; or one `more`, from a person who does not want to wait. */
  take(): "first" | "same" | "more";
}

/** Tells the orders to stop of one process apart. `nowMs` is a clock that never goes back. */
export function createStopOrders(nowMs: () => number = () => performance.now()): StopOrders {
  const stop = new AbortController();
  let firstAtMs = 0;
  return {
    signal: stop.signal,
    take() {
      if (stop.signal.aborted) return nowMs() - firstAtMs < SAME_ORDER_MS ? "same" : "more";
      firstAtMs = nowMs();
      stop.abort();
      return "first";
    },
  };
}
