import { setTimeout as sleep } from "node:timers/promises";
import type { OrderTransition } from "../../store/orders/order-story.ts";

/** Gives the states an order has got into after a version, oldest first, a moment after it was asked; none when there are none. */
export type OrderNews = (orderId: string, afterVersion: bigint) => Promise<readonly OrderTransition[]>;

interface Look {
  afterVersion: bigint;
  readonly found: Promise<readonly OrderTransition[]>;
}

/** Looks into the database once per order and `everyMs`, however many ask. Throws: what `read` throws. */
export function createOrderNews(
  read: (orderId: string, afterVersion: bigint) => Promise<readonly OrderTransition[]>,
  everyMs: number,
): OrderNews {
  const planned = new Map<string, Look>();

  const plan = (orderId: string, afterVersion: bigint): Look => {
    const look: Look = {
      afterVersion,
      found: sleep(everyMs).then(() => {
        planned.delete(orderId);
        return read(orderId, look.afterVersion);
      }),
    };
    planned.set(orderId, look);
    return look;
  };

  return async (orderId, afterVersion) => {
    const look = planned.get(orderId) ?? plan(orderId, afterVersion);
    if (afterVersion < look.afterVersion) look.afterVersion = afterVersion;
    return (await look.found).filter(({ version }) => version > afterVersion);
  };
}
