import { putIfNewer } from "./put-if-newer.ts";
import type { RedisLink } from "./redis.ts";

/** An order as text, of whatever form its writer and its reader agree on, and a number that rises with each change. */
export interface CachedOrder {
  readonly version: bigint;
  readonly text: string;
}

/** What Redis keeps of orders, under `order:{id}` for ten minutes. Never throws: a cache that is away is only slower. */
export interface OrderCache {
  readonly enabled: boolean;
  /** Keeps the order; an older version never overwrites a newer one. */
  put(orderId: string, order: CachedOrder): Promise<void>;
  get(orderId: string): Promise<CachedOrder | undefined>;
  /** Forgets the order as it was before this version, also an older one that is still to arrive. */
  drop(orderId: string, version: bigint): Promise<void>;
}

const LIFETIME_SECONDS = 600;
/** Stands in an order's place, so that what was read before the change cannot come there later. */
const DROPPED = "";

/** The key of an order in Redis. */
export function orderCacheKey(orderId: string): string {
  return `order:${orderId}`;
}

/** Keeps orders over the process's Redis connection. */
export function createOrderCache(link: RedisLink): OrderCache {
  const keep = async (orderId: string, { version, text }: CachedOrder): Promise<void> => {
    const entry = { key: orderCacheKey(orderId), version, fields: { order: text }, lifetimeSeconds: LIFETIME_SECONDS };
    await link.attempt((redis) => redis.eval(...putIfNewer(entry)));
  };
  return {
    enabled: link.enabled,
    put: keep,
    async get(orderId) {
      return await link.attempt(async (redis) => {
        const { version, order } = await redis.hgetall(orderCacheKey(orderId));
        return version === undefined || order === undefined || order === DROPPED ? undefined : { version: BigInt(version), text: order };
      });
    },
    drop: (orderId, version) => keep(orderId, { version, text: DROPPED }),
  };
}
