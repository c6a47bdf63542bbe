import { Redis } from "ioredis";
import { redisTarget } from "./redis-target.ts";

/** One key of Redis with everything in it: values, and names of fields and members. */
export interface RedisEntry {
  readonly key: Buffer;
  readonly type: string;
  readonly contents: readonly Buffer[];
}

const PAGE = 500;
const TIMEOUT_MS = 10_000;

/** Hands out every key of the database at the address. Keys that end while it reads are left out. Throws: the client's error. */
export async function dumpRedis(url: string, onEntry: (entry: RedisEntry) => void): Promise<void> {
  const target = redisTarget(url);
  const redis = new Redis(target.url, {
    ...target.options,
    connectTimeout: TIMEOUT_MS,
    commandTimeout: TIMEOUT_MS,
    maxRetriesPerRequest: 1,
    retryStrategy: () => null,
    lazyConnect: true,
  });
  redis.on("error", () => {});
  try {
    await redis.connect();
    let cursor = "0";
    do {
      const [next, keys] = await redis.scanBuffer(cursor, "COUNT", PAGE);
      for (const key of keys) {
        const type = await redis.type(key);
        onEntry({ key, type, contents: flat(await readKey(redis, key, type)) });
      }
      cursor = next.toString();
    } while (cursor !== "0");
  } finally {
    redis.disconnect();
  }
}

async function readKey(redis: Redis, key: Buffer, type: string): Promise<unknown> {
  switch (type) {
    case "string":
      return await redis.getBuffer(key);
    case "hash":
      return await redis.callBuffer("HGETALL", key);
    case "list":
      return await redis.callBuffer("LRANGE", key, "0", "-1");
    case "set":
      return await redis.callBuffer("SMEMBERS", key);
    case "zset":
      return await redis.callBuffer("ZRANGE", key, "0", "-1");
    case "stream":
      return await redis.callBuffer("XRANGE", key, "-", "+");
    default:
      return [];
  }
}

function flat(answer: unknown): Buffer[] {
  if (Buffer.isBuffer(answer)) return [answer];
  if (Array.isArray(answer)) return answer.flatMap(flat);
  if (answer instanceof Map) return [...answer].flatMap(flat);
  if (typeof answer === "object" && answer !== null)
    return Object.entries(answer).flatMap(([name, value]) => flat([Buffer.from(name, "latin1"), value]));
  return typeof answer === "string" || typeof answer === "number" ? [Buffer.from(String(answer))] : [];
}
