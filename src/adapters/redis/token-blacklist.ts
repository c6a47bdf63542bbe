import type { RedisLink } from "./redis.ts";

/**
 * Which tokens and sessions are refused, as Redis knows it: the quick word between processes. Postgres is the truth and is asked
 * as well, so a mark that is lost lets nobody in. Neither ever throws.
 */
export interface TokenBlacklist {
  /** True when one of the ids is marked; false when none is, or Redis does not answer. */
  hasAny(ids: readonly string[]): Promise<boolean>;
  /** Marks the id until it would have ended anyway; nothing when that has passed. */
  add(id: string, expiresAtMs: number): Promise<void>;
}

/** The key of a token's or a session's mark in Redis. */
export function blacklistKey(id: string): string {
  return `jwt:blacklist:${id}`;
}

/** The blacklist of this Redis. */
export function createTokenBlacklist(redis: RedisLink, now: () => number = Date.now): TokenBlacklist {
  return {
    hasAny: async (ids) => ((await redis.attempt((client) => client.exists(ids.map(blacklistKey)))) ?? 0) > 0,
    async add(id, expiresAtMs) {
      const leftSeconds = Math.ceil((expiresAtMs - now()) / 1_000);
      // EX 0 is an error of Redis.
      if (leftSeconds > 0) await redis.attempt((client) => client.set(blacklistKey(id), "1", "EX", leftSeconds));
    },
  };
}
