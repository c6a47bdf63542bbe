import { setImmediate as nextTurn } from "node:timers/promises";
import type { Redis } from "ioredis";
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { createLocalWindows, type Count } from "./local-windows.ts";
import type { RedisLink } from "./redis.ts";

/** Whether one more request passes, and what is left. */
export interface Allowance {
  readonly passes: boolean;
  readonly remaining: number;
  /** Until the window ends, in milliseconds. */
  readonly resetMs: number;
}

/** Lets `quota` requests per key pass in each window, which begins with its first request. Exact over all processes of one Redis. */
export interface RateLimit {
  readonly quota: number;
  readonly windowMs: number;
  /** Counts one request. Never throws: without Redis the process counts by itself, going on from the last count it knew. */
  take(key: string): Promise<Allowance>;
  /** Begins the key's window anew. Never throws; another process that refused the key already goes on until its window ends. */
  forget(key: string): Promise<void>;
}

// The library's script takes whole seconds. One script, so that no key is ever left without an end.
const COUNT_SCRIPT = `
local windowMs = math.floor(tonumber(ARGV[4]) * 1000 + 0.5)
redis.call('SET', KEYS[1], 0, 'PX', windowMs, 'NX')
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
local leftMs = redis.call('PTTL', KEYS[1])
if leftMs < 0 then
  redis.call('PEXPIRE', KEYS[1], windowMs)
  leftMs = windowMs
end
return {count, leftMs}`;

/** The requests for one key that came in one turn of the event loop: one command counts them. */
interface Turn {
  requests: number;
  readonly answer: Promise<Count | undefined>;
}

/** Longer than any answer of Redis may take: a window that ends within it may have ended there already. */
const SKEW_MS = 100;

/**
 * A limit whose counts stand in Redis under `{prefix}:{key}`. Undefined for a quota of 0, which means no limit.
 * What Redis answers is remembered, so that a Redis that dies, or comes back empty, does not open the limit again.
 */
export function createRateLimit(options: {
  readonly redis: RedisLink;
  readonly prefix: string;
  readonly quota: number;
  readonly windowMs: number;
  readonly nowMs?: () => number;
}): RateLimit | undefined {
  const { redis, prefix, quota, windowMs, nowMs = () => performance.now() } = options;
  if (quota === 0) return undefined;
  const local = createLocalWindows(windowMs, nowMs);
  /** Keys that Redis could not be told to forget; their count there is not to be read. */
  const untold = createLocalWindows(windowMs, nowMs);
  const forgetInRedis = async (client: Redis, key: string): Promise<true> => {
    await client.del(`${prefix}:${key}`);
    untold.set(key, { count: 0, endsAtMs: nowMs() });
    return true;
  };
  let limiter: RateLimiterRedis | undefined;

  const countInRedis = (key: string, requests: number): Promise<Count | undefined> =>
    redis.attempt(async (client) => {
      if (untold.get(key) !== undefined) await forgetInRedis(client, key);
      limiter ??= new RateLimiterRedis({
        storeClient: client,
        keyPrefix: prefix,
        points: quota,
        duration: windowMs / 1_000,
        customIncrTtlLuaScript: COUNT_SCRIPT,
      });
      const { consumedPoints, msBeforeNext } = await limiter.consume(key, requests).catch((refusal: unknown) => {
        if (refusal instanceof RateLimiterRes) return refusal;
        throw refusal;
      });
      return { count: consumedPoints, endsAtMs: nowMs() + msBeforeNext };
    });

  const turns = new Map<string, Turn>();
  const turnOf = (key: string): Turn => {
    const open = turns.get(key);
    if (open !== undefined) return open;
    const answer = nextTurn().then(() => {
      turns.delete(key);
      return countInRedis(key, turn.requests);
    });
    const turn: Turn = { requests: 0, answer };
    turns.set(key, turn);
    return turn;
  };

  return {
    quota,
    windowMs,
    async take(key) {
      const known = local.get(key);
      // Whoever is over the limit stays so until the window ends; asking Redis again would only cost it work.
      if (known !== undefined && known.count > quota) return allowance(known);
      const turn = turnOf(key);
      turn.requests += 1;
      const place = turn.requests;
      const sum = await turn.answer;
      if (sum === undefined) return allowance(local.add(key));
      // The command counted all requests of its turn; each has the count of its own place among them.
      const counted = { ...sum, count: sum.count - turn.requests + place };
      const last = local.get(key);
      const lostCounts = last !== undefined && last.count >= counted.count && last.endsAtMs > nowMs() + SKEW_MS;
      if (lostCounts) return allowance(local.add(key));
      local.set(key, counted);
      return allowance(counted);
    },
    async forget(key) {
      local.set(key, { count: 0, endsAtMs: nowMs() });
      const told = await redis.attempt((client) => forgetInRedis(client, key));
      if (told !== true) untold.add(key);
    },
  };

  function allowance({ count, endsAtMs }: Count): Allowance {
    return { passes: count <= quota, remaining: Math.max(0, quota - count), resetMs: Math.max(0, endsAtMs - nowMs()) };
  }
}
