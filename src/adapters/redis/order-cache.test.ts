import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { until } from "../../../test/support/until.ts";
import { SILENT_LOG } from "../log.ts";
import { createOrderCache, orderCacheKey } from "./order-cache.ts";
import { openRedis, type RedisLink } from "./redis.ts";

let redis: Redis;
let link: RedisLink;

beforeAll(async () => {
  redis = new Redis(inject("redisUrl"));
  link = openRedis({ url: inject("redisUrl"), logger: SILENT_LOG });
  await until("Redis answers", async () => (await link.attempt((client) => client.ping())) === "PONG");
});

afterAll(() => {
  link.close();
  redis.disconnect();
});

describe("the order cache", () => {
  test("keeps an order under order:{id} for ten minutes", async () => {
    const cache = createOrderCache(link);
    const orderId = randomUUID();
    await cache.put(orderId, { version: 3n, text: '{"orderId":"x"}' });
    expect(await cache.get(orderId)).toEqual({ version: 3n, text: '{"orderId":"x"}' });
    const ttlSeconds = await redis.ttl(`order:${orderId}`);
    expect(ttlSeconds).toBeGreaterThan(595);
    expect(ttlSeconds).toBeLessThanOrEqual(600);
  });

  test("never lets an older version overwrite a newer one, whatever the order they come in", async () => {
    const cache = createOrderCache(link);
    const orderId = randomUUID();
    const versions = [9n, 10n, 2n, 9007199254740993n, 9007199254740992n, 99n];
    await Promise.all(versions.map((version) => cache.put(orderId, { version, text: `v${version}` })));
    expect(await cache.get(orderId)).toEqual({ version: 9007199254740993n, text: "v9007199254740993" });
  });

  test("takes what it cannot read for nothing, and does without Redis", async () => {
    const orderId = randomUUID();
    await redis.set(orderCacheKey(orderId), "no hash");
    expect(await createOrderCache(link).get(orderId)).toBeUndefined();
    const none = createOrderCache(openRedis({ url: undefined, logger: SILENT_LOG }));
    await none.put(orderId, { version: 1n, text: "x" });
    expect([none.enabled, await none.get(orderId)]).toEqual([false, undefined]);
  });
});
