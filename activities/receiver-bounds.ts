/** A place for one attempt at a receiver, or the wait before asking for a place again. */
export type Place = { readonly leave: () => void } | { readonly waitMs: number };

/** How many attempts are under way at each receiver of webhooks, in this process. */
export interface ReceiverBounds {
  /** Takes a place at the webhook's receiver. The attempt that gets a place must leave it at its end, however it ended. */
  enter(webhookId: string): Place;
}

interface Receiver {
  inFlight: number;
  /** How many attempts may be under way. */
  bound: number;
  /** The moving average of how long an attempt takes. */
  attemptMs: number;
  /** The moment until which places that come free are promised to waiting attempts. */
  bookedUntilMs: number;
}

/** The bound of a receiver that is new, or slow. */
const FIRST_BOUND = 5;
const MAX_BOUND = 20;
/** An attempt that takes longer makes its receiver a slow one. */
const PROMPT_MS = 2_000;
const FIRST_ATTEMPT_MS = 500;
const MIN_WAIT_MS = 250;
const MAX_WAIT_MS = 120_000;

/**
 * Bounds that learn: a prompt receiver gets more attempts at a time. A slow or silent receiver falls back to the first bound, so that it
 * cannot hold the places of all the others. An attempt that gets no place is told when its turn should come, so that a long queue does
 * not ask all the time.
 */
export function createReceiverBounds(deps: { readonly nowMs: () => number; readonly random: () => number }): ReceiverBounds {
  const receivers = new Map<string, Receiver>();

  const receiverOf = (webhookId: string): Receiver => {
    const known = receivers.get(webhookId);
    if (known !== undefined) return known;
    const fresh: Receiver = { inFlight: 0, bound: FIRST_BOUND, attemptMs: FIRST_ATTEMPT_MS, bookedUntilMs: 0 };
    receivers.set(webhookId, fresh);
    return fresh;
  };

  return {
    enter(webhookId) {
      const receiver = receiverOf(webhookId);
      const enteredAtMs = deps.nowMs();
      if (receiver.inFlight >= receiver.bound) {
        const freeAtMs = Math.max(receiver.bookedUntilMs, enteredAtMs) + receiver.attemptMs / receiver.bound;
        receiver.bookedUntilMs = Math.min(freeAtMs, enteredAtMs + MAX_WAIT_MS);
        const waitMs = Math.max(MIN_WAIT_MS, receiver.bookedUntilMs - enteredAtMs);
        // Attempts at the end of a long queue are all told the longest wait: without jitter they would come back together.
        return { waitMs: Math.round(waitMs * (0.5 + deps.random() / 2)) };
      }
      receiver.inFlight += 1;
      return {
        leave() {
          const tookMs = deps.nowMs() - enteredAtMs;
          receiver.inFlight -= 1;
          receiver.attemptMs = (receiver.attemptMs + tookMs) / 2;
          receiver.bound = tookMs < PROMPT_MS ? Math.min(receiver.bound + 1, MAX_BOUND) : FIRST_BOUND;
        },
      };
    },
  };
}
