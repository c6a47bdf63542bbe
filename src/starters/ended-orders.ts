import { dropOldest } from "../base/drop-oldest.ts";
import type { OrderEnd } from "../contract/orders.ts";

/** The most orders whose end is waited for. Those beyond it, the oldest first, learn of their end by their workflow alone. */
const MAX_WAITING = 10_000;

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

/** Creates the waits of one process, empty. */
export function createEndedOrders(maxWaiting = MAX_WAITING): EndedOrders {
  const waiting = new Map<string, { readonly end: Promise<OrderEnd>; readonly resolve: (end: OrderEnd) => void; waits: number }>();
  return {
    expect(orderId) {
      let resolve: (end: OrderEnd) => void = () => undefined;
      const own = waiting.get(orderId) ?? {
        end: new Promise<OrderEnd>((settle) => {
          resolve = settle;
        }),
        resolve: (end: OrderEnd) => resolve(end),
        waits: 0,
      };
      own.waits += 1;
      waiting.set(orderId, own);
      dropOldest(waiting, maxWaiting);
      let isDropped = false;
      const drop = () => {
        if (isDropped) return;
        isDropped = true;
        own.waits -= 1;
        if (own.waits === 0 && waiting.get(orderId) === own) waiting.delete(orderId);
      };
      return { end: own.end, drop };
    },
    tell(end) {
      waiting.get(end.orderId)?.resolve(end);
      waiting.delete(end.orderId);
    },
    size: () => waiting.size,
  };
}
