import { sql } from "drizzle-orm";
import { Redis } from "ioredis";
import { expect, inject, it } from "vitest";
import { createBalanceCache } from "../../src/adapters/redis/balance-cache.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import { loadConfig } from "../../src/config.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createTestDatabase } from "../../test/support/test-database.ts";
import { until } from "../../test/support/until.ts";
import { openBalanceCache } from "./balance-cache-parts.ts";
import { openStoreParts } from "./role-parts.ts";

it("money that a role moves itself, as the api does, takes the cached balance away", async () => {
  const database = await createTestDatabase();
  // A number of its own: a Redis that carries another database's mark is left alone.
  const redisUrl = new URL("/9", inject("redisUrl")).toString();
  const redis = new Redis(redisUrl);
  await redis.flushdb();
  const settings = { DATABASE_URL: database.appUrl, REDIS_URL: redisUrl, LOG_LEVEL: "silent" };
  const parts = openStoreParts(loadConfig(settings, "/nonexistent"), "api");
  await until("Redis is up", () => parts.redis.isUp());
  const cache = createBalanceCache(parts.redis, { markMs: 60_000 });
  const reign = await cache.raise(1);
  await parts.database.db.execute(sql`update balance_cache set epoch = 1, state = 'open', reign = ${reign}`);
  // A role that has not asked since then marks nothing, which the time of opening is for.
  await parts.balanceCache.gate();
  const userId = `user-${process.pid}`;
  await cache.read({ epoch: 1, reign: reign ?? "" }, "token", [userId]);
  await cache.fillIn({ epoch: 1, reign: reign ?? "" }, "token", [{ userId, text: "0" }]);
  expect(await redis.hget(`balance:1:${userId}`, "text")).toBe("0");
  const origin = { caller: "t", correlationId: "t" };
  await parts.ledger.post(depositOperation({ key: "d", userId, currency: "RUB", amountMinor: 700n, comment: "", origin }));
  expect(await redis.exists(`balance:1:${userId}`)).toBe(0);
  // A process that posts before it is connected waits for its connection, and closes the cache for nobody.
  const { database: books, logger } = parts;
  const link = openRedis({ url: redisUrl, logger });
  let isConnected = false;
  setTimeout(() => (isConnected = true), 300);
  const slow: RedisLink = {
    ...link,
    isUp: () => isConnected && link.isUp(),
    attempt: async (command) => (isConnected ? link.attempt(command) : undefined),
  };
  const another = openBalanceCache({ database: books, redis: slow, logger, deadlineMs: 10_000 });
  const deposit = depositOperation({ key: "e", userId, currency: "RUB", amountMinor: 1n, comment: "", origin });
  await another.marked(parts.ledger).post(deposit);
  expect(await another.gate()).toMatchObject({ epoch: 1, state: "open" });
  await another.close();
  link.close();
  await parts.close();
  redis.disconnect();
  await database.drop();
});
