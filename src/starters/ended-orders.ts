import type { OrderEnd } from "../contract/orders.ts";
import { createWaits } from "./waits.ts";

/** A wait for an order's end that was committed in this process. */
export interface EndWait {
  /** Settles when the end is committed in this process; never when another process commits it. */
  readonly end: Promise<OrderEnd>;
  /** Ends the wait. Safe to call more than once. */
  drop(): void;
}

/** Tells requests of this process at once of the orders whose end the workers of this process have committed. */
export interface EndedOrders {
  /** Begins to wait. To be called before the order is started, or its end may be missed. */
  expect(orderId: string): EndWait;
  /** To be called once the end is committed, and not before: an answer that names it can never become wrong. */
  tell(end: OrderEnd): void;
  /** How many orders are waited for. */
  size(): number;
}

/** Creates the waits of one process, empty. `maxWaiting` as in `createWaits`. */
export function createEndedOrders(maxWaiting?: number): EndedOrders {
  const waits = createWaits<OrderEnd>(maxWaiting);
  return {
    expect(orderId) {
      const { news, drop } = waits.expect(orderId);
      return { end: news, drop };
    },
    tell: (end) => waits.tell(end.orderId, end),
    size: waits.size,
  };
}
