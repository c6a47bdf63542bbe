import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { endsSoonerThan } from "../../../test/support/ends-sooner.ts";
import { until } from "../../../test/support/until.ts";
import type { BalanceRecord } from "../../store/ledger/balances.ts";
import { SILENT_LOG } from "../log.ts";
import { balanceCacheKey, createBalanceCache, type BalanceCache } from "./balance-cache.ts";

let redis: Redis;
let cache: BalanceCache;

beforeAll(async () => {
  redis = new Redis(inject("redisUrl"));
  cache = createBalanceCache({ url: inject("redisUrl"), logger: SILENT_LOG });
  await untilConnected(cache);
});

afterAll(async () => {
  await cache.close();
  redis.disconnect();
});

const newUser = () => `user-${randomUUID()}`;
const balance = (userId: string, version: bigint): BalanceRecord => ({
  userId,
  currency: "RUB",
  version,
  availableMinor: version * 10n,
  heldMinor: version,
});

// The first command may come before the connection stands; it is dropped then, as it should be.
async function untilConnected(one: BalanceCache): Promise<void> {
  const probe = balance(newUser(), 1n);
  await until("the cache is connected", async () => {
    await one.put([probe]);
    return (await one.get(probe)) !== undefined;
  });
}

describe("the balance cache", () => {
  it("keeps a balance under balance:{user}:{currency} for ten minutes", async () => {
    const userId = newUser();
    await cache.put([balance(userId, 7n)]);
    expect(balanceCacheKey({ userId, currency: "RUB" })).toBe(`balance:${userId}:RUB`);
    expect(await redis.hgetall(`balance:${userId}:RUB`)).toEqual({ version: "7", available: "70", held: "7" });
    const lifetimeSeconds = await redis.ttl(`balance:${userId}:RUB`);
    expect(lifetimeSeconds).toBeGreaterThan(595);
    expect(lifetimeSeconds).toBeLessThanOrEqual(600);
    expect(await cache.get({ userId, currency: "RUB" })).toEqual(balance(userId, 7n));
  });

  it("knows nothing of a balance that nobody put, nor of another currency's", async () => {
    const userId = newUser();
    await cache.put([balance(userId, 1n)]);
    expect(await cache.get({ userId: newUser(), currency: "RUB" })).toBeUndefined();
    expect(await cache.get({ userId, currency: "USD" })).toBeUndefined();
  });

  it("never lets an older version overwrite a newer one", async () => {
    const userId = newUser();
    await cache.put([balance(userId, 5n)]);
    await cache.put([balance(userId, 4n)]);
    expect(await cache.get({ userId, currency: "RUB" })).toEqual(balance(userId, 5n));
    // Versions are numbers, not words: 10 comes after 9.
    await cache.put([balance(userId, 9n)]);
    await cache.put([balance(userId, 10n)]);
    await cache.put([balance(userId, 9n)]);
    expect(await cache.get({ userId, currency: "RUB" })).toEqual(balance(userId, 10n));
  });

  it("ends with the newest version whatever the order in which two processes write", async () => {
    const other = createBalanceCache({ url: inject("redisUrl"), logger: SILENT_LOG });
    await untilConnected(other);
    const userId = newUser();
    const versions = Array.from({ length: 200 }, (_, n) => BigInt(((n * 77) % 200) + 1));
    await Promise.all(versions.map((version, n) => (n % 2 === 0 ? cache : other).put([balance(userId, version)])));
    expect(await cache.get({ userId, currency: "RUB" })).toEqual(balance(userId, 200n));
    await other.close();
  });

  it("takes many balances at once, and none", async () => {
    const users = [newUser(), newUser()];
    await cache.put([]);
    await cache.put(users.map((userId) => balance(userId, 3n)));
    expect(await Promise.all(users.map((userId) => cache.get({ userId, currency: "RUB" })))).toEqual(
      users.map((userId) => balance(userId, 3n)),
    );
  });

  it("keeps amounts that no JSON number could hold", async () => {
    const record = { userId: newUser(), currency: "RUB", version: 1n, availableMinor: 9_007_199_254_740_993n, heldMinor: 0n };
    await cache.put([record]);
    expect(await cache.get(record)).toEqual(record);
  });

  it("takes what it cannot read for nothing", async () => {
    const userId = newUser();
    await redis.hset(`balance:${userId}:RUB`, { version: "x", available: "1", held: "1" });
    expect(await cache.get({ userId, currency: "RUB" })).toBeUndefined();
    await redis.set(`balance:${userId}:USD`, "another kind of value");
    expect(await cache.get({ userId, currency: "USD" })).toBeUndefined();
    await cache.put([{ ...balance(userId, 1n), currency: "USD" }]);
  });
});

describe("the balance cache without a Redis", () => {
  it("keeps nothing and says so when there is no address", async () => {
    const none = createBalanceCache({ url: undefined, logger: SILENT_LOG });
    await none.put([balance("ann", 1n)]);
    expect(none.enabled).toBe(false);
    expect(await none.get({ userId: "ann", currency: "RUB" })).toBeUndefined();
    await none.close();
  });

  it("never throws and never waits long when nobody answers at the address, and says it once", async () => {
    const warn = vi.fn();
    const away = createBalanceCache({ url: "redis://127.0.0.1:1", logger: { ...SILENT_LOG, warn } });
    for (let n = 0; n < 5; n += 1) {
      expect(await endsSoonerThan(300, () => away.put([balance("ann", 1n), balance("bob", 1n)]))).toBe(true);
      const asked = async () => expect(await away.get({ userId: "ann", currency: "RUB" })).toBeUndefined();
      expect(await endsSoonerThan(300, asked)).toBe(true);
    }
    await until("the outage is said", () => warn.mock.calls.length > 0);
    await away.put([balance("ann", 1n)]);
    expect(warn).toHaveBeenCalledTimes(1);
    await away.close();
  });

  it("never waits long for a Redis that hangs, and uses it again when it answers", async () => {
    const proxy = await startProxy(inject("redisUrl"));
    const warn = vi.fn();
    const hanging = createBalanceCache({ url: proxy.url, logger: { ...SILENT_LOG, warn } });
    await untilConnected(hanging);
    const [before, during] = [balance(newUser(), 1n), balance(newUser(), 1n)];
    await hanging.put([before]);
    proxy.hang();
    expect(await endsSoonerThan(300, () => hanging.put([during]))).toBe(true);
    expect(await endsSoonerThan(300, async () => expect(await hanging.get(before)).toBeUndefined())).toBe(true);
    expect(warn).toHaveBeenCalled();
    proxy.goOn();
    await until("the cache is used again", async () => (await hanging.get(before)) !== undefined);
    await hanging.close();
    proxy.close();
  });
});

/** Stands between the cache and Redis, and can stop passing anything on without closing the connection. */
async function startProxy(url: string): Promise<{ url: string; hang: () => void; goOn: () => void; close: () => void }> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const target = connect(Number(port), hostname);
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        target.destroy();
      });
    }
    client.pipe(target);
    target.pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    url: `redis://127.0.0.1:${address.port}`,
    hang: () => sockets.forEach((socket) => socket.pause()),
    goOn: () => sockets.forEach((socket) => socket.resume()),
    close: () => {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    },
  };
}
