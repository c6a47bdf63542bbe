import { putIfNewer } from "./put-if-newer.ts";
import type { RedisLink } from "./redis.ts";

/** An order as text, of whatever form its writer and its reader agree on, and a number that rises with each change. */
export interface CachedOrder {
  readonly version: bigint;
  readonly text: string;
}

/**
 * What Redis keeps of orders, under `order:{id}` for ten minutes. It is told of no change, so the reader checks what it gets by the
 * stamp in the text. Never throws: a cache that is away is only slower.
 */
export interface OrderCache {
  readonly enabled: boolean;
  /** Keeps the order; an older version never overwrites a newer one. */
  put(orderId: string, order: CachedOrder): Promise<void>;
  get(orderId: string): Promise<CachedOrder | undefined>;
}

const LIFETIME_SECONDS = 600;

/** The key of an order in Redis. */
export function orderCacheKey(orderId: string): string {
  return `order:${orderId}`;
}

/** Keeps orders over the process's Redis connection. */
export function createOrderCache(link: RedisLink): OrderCache {
  return {
    enabled: link.enabled,
    async put(orderId, { version, text }) {
      const entry = { key: orderCacheKey(orderId), version, fields: { order: text } };
      await link.attempt((redis) => redis.eval(...putIfNewer([entry], LIFETIME_SECONDS)));
    },
    async get(orderId) {
      return await link.attempt(async (redis) => {
        const { version, order } = await redis.hgetall(orderCacheKey(orderId));
        return version === undefined || order === undefined ? undefined : { version: BigInt(version), text: order };
      });
    },
  };
}
