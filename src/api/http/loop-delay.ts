const PERIOD_MS = 100;

/**
 * How late the event loop is at the moment of asking, in milliseconds: about as long a request that is read now has waited in its socket.
 * Zero while the loop is less than a tenth of a second behind.
 */
export function createLoopDelay(nowMs: () => number = () => performance.now()): () => number {
  let tickedMs = nowMs();
  setInterval(() => {
    tickedMs = nowMs();
  }, PERIOD_MS).unref();
  return () => Math.max(0, nowMs() - tickedMs - PERIOD_MS);
}
