import { Redis } from "ioredis";
import { expect, inject, it } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createTestDatabase } from "../../test/support/test-database.ts";
import { until } from "../../test/support/until.ts";
import { openStoreParts } from "./role-parts.ts";

it("money that a role moves itself, as the api does, brings its balance into the cache", async () => {
  const database = await createTestDatabase();
  // A number of its own: a Redis that carries another database's mark is left alone.
  const redisUrl = new URL("/9", inject("redisUrl")).toString();
  const redis = new Redis(redisUrl);
  await redis.flushdb();
  const settings = { DATABASE_URL: database.appUrl, REDIS_URL: redisUrl, LOG_LEVEL: "silent" };
  const parts = openStoreParts(loadConfig(settings, "/nonexistent"), "api");
  await until("Redis is up", () => parts.redis.isUp());
  const origin = { caller: "t", correlationId: "t" };
  const wallet = { userId: `user-${process.pid}`, currency: "RUB" };
  await parts.ledger.post(depositOperation({ key: "d", ...wallet, amountMinor: 700n, comment: "", origin }));
  await until("the balance is cached", async () => (await redis.hget(`balance:${wallet.userId}:RUB`, "available")) === "700");
  expect(await redis.hget(`balance:${wallet.userId}:RUB`, "held")).toBe("0");
  await parts.close();
  redis.disconnect();
  await database.drop();
});
