import type { RedisLink } from "./redis.ts";

/**
 * Marks of refused tokens and sessions in Redis, with which processes tell each other at once. Postgres is the truth and is asked as
 * well, so a lost mark lets nobody in. Neither method ever throws.
 */
export interface TokenBlacklist {
  /** True when one of the ids is marked; false when none is, or Redis does not answer. */
  hasAny(ids: readonly string[]): Promise<boolean>;
  /** Marks the id until `expiresAtMs`; does nothing when that has passed. */
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
