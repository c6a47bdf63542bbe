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
  /** Forgets the order as it was before this version, also what is still on its way here. */
  drop(orderId: string, version: bigint): Promise<void>;
}

const LIFETIME_SECONDS = 600;
/** Stands in an order's place, so that what was read before the change cannot come there later. */
const DROPPED = "";

// Versions are compared as numbers by their length first: a Lua number is exact to 2^53 only.
const PUT_IF_NEWER = `
local known = redis.call('HGET', KEYS[1], 'version')
if known and (#known > #ARGV[1] or (#known == #ARGV[1] and known >= ARGV[1])) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'order', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1`;

/** The key of an order in Redis. */
export function orderCacheKey(orderId: string): string {
  return `order:${orderId}`;
}

/** Keeps orders over the process's Redis connection. */
export function createOrderCache(link: RedisLink): OrderCache {
  return {
    enabled: link.enabled,
    async put(orderId, { version, text }) {
      await link.attempt((redis) => redis.eval(PUT_IF_NEWER, 1, orderCacheKey(orderId), version.toString(), text, LIFETIME_SECONDS));
    },
    async get(orderId) {
      return await link.attempt(async (redis) => {
        const { version, order } = await redis.hgetall(orderCacheKey(orderId));
        return version === undefined || order === undefined || order === DROPPED ? undefined : { version: BigInt(version), text: order };
      });
    },
    async drop(orderId, version) {
      await link.attempt((redis) => redis.eval(PUT_IF_NEWER, 1, orderCacheKey(orderId), version.toString(), DROPPED, LIFETIME_SECONDS));
    },
  };
}
