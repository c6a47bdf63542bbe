import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { startOwnRedis, type OwnRedis } from "../../../test/support/own-redis.ts";
import { until } from "../../../test/support/until.ts";
import type { CacheEpoch } from "../../store/balance-cache/balance-marks.ts";
import { SILENT_LOG } from "../log.ts";
import { balanceCacheKey, createBalanceCache, type BalanceCache } from "./balance-cache.ts";
import { openRedis, type RedisLink } from "./redis.ts";

let server: OwnRedis;
let link: RedisLink;
let cache: BalanceCache;
let epoch: CacheEpoch;
let userId: string;
let number = 0;

beforeAll(async () => {
  server = await startOwnRedis(inject("cacheDir"));
  link = openRedis({ url: server.url, logger: SILENT_LOG });
  cache = createBalanceCache(link, { markMs: 60_000 });
});
afterAll(async () => {
  link.close();
  await server.close();
});
beforeEach(async () => {
  userId = `user-${randomUUID()}`;
  await until("Redis is up", () => link.isUp());
  number += 1;
  epoch = { epoch: number, reign: (await cache.raise(number)) ?? "" };
});
afterEach(() => server.becomeMaster());

const fill = (text: string, token = "t1") => cache.fillIn(epoch, token, [{ userId, text }]);
const read = (token = "t1") => cache.read(epoch, token, [userId]);
const NOTHING = { text: undefined, mayFill: false };
const TOKEN = { text: undefined, mayFill: true };

describe("the balances in Redis", () => {
  it("are filled in by the first reader that finds none, and read for ten minutes", async () => {
    expect(await read()).toEqual([TOKEN]);
    expect(await read("t2")).toEqual([NOTHING]);
    expect(await fill("1 RUB 5 0", "t2")).toBe("done");
    expect(await read("t2")).toEqual([NOTHING]);
    await fill("1 RUB 5 0");
    expect(await read("t2")).toEqual([{ text: "1 RUB 5 0" }]);
    const key = `balance:${number}:${userId}`;
    expect(balanceCacheKey(epoch, userId)).toBe(key);
    expect(await server.client.pttl(key)).toBeGreaterThan(590_000);
  });

  it("are neither read nor filled in while a writer has its mark there, whoever the other writers are", async () => {
    await read();
    await cache.mark(epoch, "a", [userId]);
    expect(await fill("1 RUB 5 0")).toBe("done");
    expect(await read()).toEqual([NOTHING]);
    await cache.mark(epoch, "b", [userId]);
    await cache.settle(epoch, "b", [userId]);
    expect(await read()).toEqual([NOTHING]);
    await cache.settle(epoch, "a", [userId]);
    expect(await read()).toEqual([TOKEN]);
  });

  it("are taken away by a mark, and by a writer whose own mark is gone", async () => {
    await read();
    await fill("1 RUB 5 0");
    await cache.mark(epoch, "a", [userId]);
    await server.client.del(balanceCacheKey(epoch, userId));
    await read("t2");
    await fill("1 RUB 5 0", "t2");
    await cache.settle(epoch, "a", [userId]);
    expect(await read("t3")).toEqual([TOKEN]);
  });

  it("are not filled in by a reader that asked the books before a writer came", async () => {
    await read();
    await cache.mark(epoch, "a", [userId]);
    await cache.settle(epoch, "a", [userId]);
    await fill("1 RUB 5 0");
    expect(await read("t2")).toEqual([TOKEN]);
  });

  it("forget a writer that died once its statement is over", async () => {
    const short = createBalanceCache(link, { markMs: 50 });
    await short.mark(epoch, "a", [userId]);
    await until("the mark is gone", async () => (await server.client.exists(balanceCacheKey(epoch, userId))) === 0);
  });

  it("forget a writer that died at its own time, also where others go on marking", async () => {
    const short = createBalanceCache(link, { markMs: 100 });
    await short.mark(epoch, "dead", [userId]);
    const beganMs = performance.now();
    while (performance.now() < beganMs + 500) {
      await cache.mark(epoch, "alive", [userId]);
      await cache.settle(epoch, "alive", [userId]);
    }
    expect(await read()).toEqual([TOKEN]);
    await cache.mark(epoch, "alive", [userId]);
    expect(await read()).toEqual([NOTHING]);
  });

  it("take marks of the same moment in one command, each under its own epoch", async () => {
    const before = await server.client.info("commandstats");
    const evals = (text: string) => Number(/cmdstat_eval:calls=(\d+)/.exec(text)?.[1] ?? 0);
    const users = Array.from({ length: 100 }, (_, n) => `${userId}-${n}`);
    const old = { epoch: number - 1, reign: epoch.reign };
    const [now, then] = await Promise.all([
      Promise.all(users.map((user) => cache.mark(epoch, "a", [user]))),
      Promise.all(users.map((user) => cache.mark(old, "a", [user]))),
    ]);
    expect([new Set(now), new Set(then)]).toEqual([new Set(["done"]), new Set(["ended"])]);
    expect(evals(await server.client.info("commandstats")) - evals(before)).toBe(2);
  });

  it("are of no epoch but the one that this Redis was prepared for", async () => {
    await read();
    await fill("1 RUB 5 0");
    await cache.raise(number + 1000);
    expect([await read(), await cache.mark(epoch, "a", [userId]), await fill("x")]).toEqual(["ended", "ended", "ended"]);
  });

  it("are of no epoch after a flush", async () => {
    await server.client.flushall();
    expect([await read(), await cache.mark(epoch, "a", [userId]), await cache.settle(epoch, "a", [userId])]).toEqual([
      "ended",
      "ended",
      "ended",
    ]);
  });

  it("are not read from a replica, and not from the same server once it is a master again", async () => {
    await read();
    await fill("1 RUB 5 0");
    await server.becomeReplica();
    // Before the connection is left: no write has been refused on it yet.
    expect(await read()).toBe("ended");
    await server.becomeMaster();
    await until("Redis is up", () => link.isUp());
    expect([await read(), await cache.mark(epoch, "a", [userId])]).toEqual(["ended", "ended"]);
    epoch = { ...epoch, reign: (await cache.raise(number)) ?? "" };
    expect(await read()).toEqual([{ text: "1 RUB 5 0" }]);
  });

  it("are sampled and dropped by their epoch and text", async () => {
    await read();
    await fill("1 RUB 5 0");
    expect(await cache.sample(epoch, 10)).toEqual([{ userId, text: "1 RUB 5 0" }]);
    expect([await cache.drop(epoch, userId, "other"), await cache.drop(epoch, userId, "1 RUB 5 0")]).toEqual([false, true]);
    expect(await cache.sample(epoch, 10)).toEqual([]);
  });

  it("are all sampled in turn, however many there are", async () => {
    const users = Array.from({ length: 3_000 }, (_, n) => `${userId}-${n}`);
    for (let from = 0; from < users.length; from += 200) {
      const some = users.slice(from, from + 200);
      await cache.read(epoch, "t1", some);
      await cache.fillIn(
        epoch,
        "t1",
        some.map((user) => ({ userId: user, text: "1 RUB 5 0" })),
      );
    }
    const seen = new Set<string>();
    for (let turn = 0; turn < 20; turn += 1) for (const sampled of await cache.sample(epoch, 500)) seen.add(sampled.userId);
    expect(users.filter((user) => !seen.has(user))).toEqual([]);
  });

  it("are unknown without a Redis, and where nobody answers", async () => {
    for (const url of [undefined, "redis://127.0.0.1:1"]) {
      const away = openRedis({ url, logger: SILENT_LOG });
      const none = createBalanceCache(away, { markMs: 60_000 });
      expect([await none.mark(epoch, "a", [userId]), await none.read(epoch, "t", [userId]), await none.raise(1)]).toEqual([
        "unknown",
        "unknown",
        undefined,
      ]);
      away.close();
    }
  });
});
