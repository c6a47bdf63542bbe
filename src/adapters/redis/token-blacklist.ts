import { createBatcher } from "../../base/batching.ts";
import type { RedisLink } from "./redis.ts";

/** Ids of one command at most. */
const MAX_BATCH = 500;

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

/** The blacklist of this Redis. Questions of the same moment share one command. */
export function createTokenBlacklist(redis: RedisLink, now: () => number = Date.now): TokenBlacklist {
  const isMarked = createBatcher<string, boolean>({
    maxBatch: MAX_BATCH,
    // A question never waits for the answer to an earlier one.
    parallel: Number.POSITIVE_INFINITY,
    async run(ids) {
      const distinct = [...new Set(ids)];
      const marks = (await redis.attempt((client) => client.mget(distinct.map(blacklistKey)))) ?? [];
      const marked = new Set(distinct.filter((_id, place) => typeof marks[place] === "string"));
      return ids.map((id) => marked.has(id));
    },
  });
  return {
    hasAny: async (ids) => redis.isUp() && (await Promise.all(ids.map(isMarked))).includes(true),
    async add(id, expiresAtMs) {
      const leftSeconds = Math.ceil((expiresAtMs - now()) / 1_000);
      // EX 0 is an error of Redis.
      if (leftSeconds > 0) await redis.attempt((client) => client.set(blacklistKey(id), "1", "EX", leftSeconds));
    },
  };
}
