import { setTimeout as sleep } from "node:timers/promises";

export interface SteadyLoad {
  /** Messages a second, and how many in all. */
  readonly rate: number;
  readonly total: number;
  /** Sends the messages of these numbers and settles when they are there. */
  readonly send: (from: number, count: number) => Promise<void>;
  readonly onSent?: (sent: number) => void;
  readonly nowMs?: () => number;
  readonly pause?: (ms: number) => Promise<unknown>;
}

/** The pause after a send that has caught up: the next send carries the messages that become due meanwhile. */
const TICK_MS = 50;
const MAX_PER_SEND = 1_000;

/**
 * Sends messages number 0 to `total` - 1 in their order, one send at a time, as many a second as `rate` says. After a slow send it catches
 * up. Throws: what `send` throws.
 */
export async function sendSteadily(load: SteadyLoad): Promise<void> {
  const { rate, total, nowMs = () => performance.now(), pause = sleep } = load;
  const startedAtMs = nowMs();
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.ceil(((nowMs() - startedAtMs + TICK_MS) * rate) / 1_000));
    const count = Math.min(due - sent, MAX_PER_SEND);
    if (count > 0) {
      await load.send(sent, count);
      sent += count;
      load.onSent?.(sent);
    }
    if (due <= sent) await pause(TICK_MS);
  }
}
