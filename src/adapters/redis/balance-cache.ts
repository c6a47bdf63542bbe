import type { BalanceKey } from "../../contract/balances.ts";
import type { BalanceRecord } from "../../store/ledger/balances.ts";
import type { Log } from "../log.ts";
import { putIfNewer } from "./put-if-newer.ts";
import { openRedis, type RedisLink } from "./redis.ts";

/** What Redis keeps of balances. It is never asked when money moves. */
export interface BalanceCache {
  /** False when there is no Redis at all: then nothing needs to be read for it. */
  readonly enabled: boolean;
  /** False while the cache can be told nothing. */
  isUp(): boolean;
  /** Keeps the balances; an older version never overwrites a newer one. False when it may not have been told. Never throws. */
  put(balances: readonly BalanceRecord[]): Promise<boolean>;
  /** The balance as it was last written, or undefined when it is not there or cannot be had. */
  get(key: BalanceKey): Promise<BalanceRecord | undefined>;
  close(): Promise<void>;
}

const LIFETIME_SECONDS = 600;

/** The key of a balance in Redis. */
export function balanceCacheKey({ userId, currency }: BalanceKey): string {
  return `balance:${userId}:${currency}`;
}

/** Keeps balances over the process's Redis connection, or over one of its own; without an address it keeps nothing. */
export function createBalanceCache(
  options: { readonly url: string | undefined; readonly logger: Log } | { readonly redis: RedisLink },
): BalanceCache {
  const shared = "redis" in options ? options.redis : undefined;
  const link = "redis" in options ? options.redis : openRedis(options);
  return {
    enabled: link.enabled,
    isUp: link.isUp,
    async put(balances) {
      if (balances.length === 0) return true;
      const entries = balances.map(({ version, availableMinor, heldMinor, ...key }) => ({
        key: balanceCacheKey(key),
        version,
        fields: { available: availableMinor.toString(), held: heldMinor.toString() },
      }));
      const told = await link.attempt(async (redis) => {
        await redis.eval(...putIfNewer(entries, LIFETIME_SECONDS));
        return true;
      });
      return told === true;
    },
    async get(key) {
      return await link.attempt(async (redis) => {
        const { version, available, held } = await redis.hgetall(balanceCacheKey(key));
        if (version === undefined || available === undefined || held === undefined) return undefined;
        return {
          userId: key.userId,
          currency: key.currency,
          version: BigInt(version),
          availableMinor: BigInt(available),
          heldMinor: BigInt(held),
        };
      });
    },
    async close() {
      if (shared === undefined) link.close();
    },
  };
}
