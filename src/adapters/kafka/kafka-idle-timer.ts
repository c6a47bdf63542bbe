import { clientModule } from "./kafka-internals.ts";

/** What the client's queue of requests on one connection has. Private, but the same since 2.0. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

/** How often requests are looked at that wait for one in flight, as the client has it. */
const CHECK_PENDING_MS = 10;

/**
 * Lets a connection that has nothing to send set no timer. The client sets one after every answer, also without a request that waits, for
 * a moment that lies in the past (kafkajs/src/network/requestQueue/index.js, tulios/kafkajs#1751): so each connection wakes the process a
 * thousand times a second for ever. A request that waits is still looked at, by the throttle's end or every 10 ms. Safe to retry.
 */
export function stopIdleTimers(): void {
  const { prototype } = clientModule("network/requestQueue/index.js") as { readonly prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = function scheduleOnlyIfPending() {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    const throttledMs = this.throttledUntil - Date.now();
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      throttledMs > 0 ? throttledMs : CHECK_PENDING_MS,
    );
  };
}
