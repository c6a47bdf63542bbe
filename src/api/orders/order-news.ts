import { setTimeout as sleep } from "node:timers/promises";
import type { OrderTransition } from "../../store/orders/order-story.ts";

/** The states that an order reached after a version, oldest first, as the next look into the database finds them; none when it reached none. */
export type OrderNews = (orderId: string, afterVersion: bigint) => Promise<readonly OrderTransition[]>;

interface Look {
  afterVersion: bigint;
  readonly found: Promise<readonly OrderTransition[]>;
}

/** Reads each order at most once in `everyMs`, however many streams watch it. Throws: what `read` throws. */
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
