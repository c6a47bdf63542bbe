import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { until } from "../../../test/support/until.ts";
import { SILENT_LOG } from "../log.ts";
import { createLocalWindows } from "./local-windows.ts";
import { createRateLimit, type RateLimit } from "./rate-limits.ts";
import { openRedis, type RedisLink } from "./redis.ts";

const NO_REDIS = openRedis({ url: undefined, logger: SILENT_LOG });
let links: RedisLink[];
let redis: Redis;

beforeAll(async () => {
  redis = new Redis(inject("redisUrl"));
  links = [0, 1].map(() => openRedis({ url: inject("redisUrl"), logger: SILENT_LOG }));
  await until("Redis answers both", async () =>
    (await Promise.all(links.map((link) => link.attempt((client) => client.ping())))).every((pong) => pong === "PONG"),
  );
});

afterAll(() => {
  for (const link of links) link.close();
  redis.disconnect();
});

function limitOf(link: RedisLink, quota: number, windowMs = 60_000, nowMs?: () => number): RateLimit {
  const limit = createRateLimit({ redis: link, prefix: "rate", quota, windowMs, ...(nowMs === undefined ? {} : { nowMs }) });
  if (limit === undefined) throw new Error("there is a limit");
  return limit;
}

const passed = async (takes: Promise<{ passes: boolean }>[]) => (await Promise.all(takes)).filter(({ passes }) => passes).length;

describe("a limit over Redis", () => {
  test("lets exactly its quota pass when 200 ask at once over two processes", async () => {
    const [one, two] = links.map((link) => limitOf(link, 100)) as [RateLimit, RateLimit];
    const address = `10.0.0.1-${randomUUID()}`;
    expect(await passed(Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? one : two).take(address)))).toBe(100);
    expect(await redis.get(`rate:${address}`)).not.toBeNull();
    const leftMs = await redis.pttl(`rate:${address}`);
    expect(leftMs).toBeGreaterThan(55_000);
    expect(leftMs).toBeLessThanOrEqual(60_000);
  });

  test("counts the requests of one moment with one command for each key, and gives each its own place", async () => {
    const [link] = links as [RedisLink];
    let commands = 0;
    const counting: RedisLink = {
      ...link,
      attempt: (command) => {
        commands += 1;
        return link.attempt(command);
      },
    };
    const limit = limitOf(counting, 100);
    const [one, two] = [`10.0.0.7-${randomUUID()}`, `10.0.0.8-${randomUUID()}`];
    const answers = await Promise.all(Array.from({ length: 64 }, (_, n) => limit.take(n % 2 === 0 ? one : two)));
    expect(answers.map(({ remaining }) => remaining)).toEqual(Array.from({ length: 64 }, (_, n) => 99 - Math.floor(n / 2)));
    expect(commands).toBe(2);
    expect(await redis.get(`rate:${one}`)).toBe("32");
  });

  test("counts a key that lost its end anew until one window later, never for ever", async () => {
    const address = `10.0.0.2-${randomUUID()}`;
    await redis.set(`rate:${address}`, "3");
    expect((await limitOf(links[0] as RedisLink, 5).take(address)).remaining).toBe(1);
    expect(await redis.pttl(`rate:${address}`)).toBeGreaterThan(0);
  });

  test("opens again when the window has ended", async () => {
    const limit = limitOf(links[0] as RedisLink, 2, 1_000);
    const address = `10.0.0.3-${randomUUID()}`;
    expect(await passed([limit.take(address), limit.take(address), limit.take(address)])).toBe(2);
    await until("the window has ended", async () => (await limit.take(address)).passes);
    expect((await limit.take(address)).remaining).toBe(0);
  });

  test("does not open again when Redis comes back empty in the middle of a window", async () => {
    const limit = limitOf(links[0] as RedisLink, 50);
    const address = `10.0.0.4-${randomUUID()}`;
    const before = await passed(Array.from({ length: 30 }, () => limit.take(address)));
    await redis.del(`rate:${address}`);
    const after = await passed(Array.from({ length: 100 }, () => limit.take(address)));
    expect([before, before + after]).toEqual([30, 50]);
  });
});

describe("a limit without Redis", () => {
  test("counts by itself", async () => {
    const limit = limitOf(NO_REDIS, 10);
    expect(await passed(Array.from({ length: 40 }, () => limit.take("a")))).toBe(10);
    expect(await passed(Array.from({ length: 5 }, () => limit.take("b")))).toBe(5);
  });

  test("goes on from the last count when the Redis it had is gone", async () => {
    const own = openRedis({ url: inject("redisUrl"), logger: SILENT_LOG });
    await until("Redis answers", async () => (await own.attempt((client) => client.ping())) === "PONG");
    const limit = limitOf(own, 50);
    const address = `10.0.0.5-${randomUUID()}`;
    const before = await passed(Array.from({ length: 20 }, () => limit.take(address)));
    own.close();
    const startedMs = performance.now();
    const after = await passed(Array.from({ length: 100 }, () => limit.take(address)));
    expect([before, before + after]).toEqual([20, 50]);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  test("agrees with an exact oracle whatever the times of the requests", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(fc.nat(700), fc.constantFrom("a", "b")), { maxLength: 60 }),
        async (quota, steps) => {
          let nowMs = 0;
          const limit = limitOf(NO_REDIS, quota, 1_000, () => nowMs);
          const windows = new Map<string, { beganMs: number; count: number }>();
          for (const [pauseMs, key] of steps) {
            nowMs += pauseMs;
            const known = windows.get(key);
            const window = known === undefined || nowMs >= known.beganMs + 1_000 ? { beganMs: nowMs, count: 0 } : known;
            window.count += 1;
            windows.set(key, window);
            const allowance = await limit.take(key);
            // What is refused is no longer counted, which changes nothing of the window.
            expect(allowance.passes).toBe(window.count <= quota);
            expect(allowance.remaining).toBe(Math.max(0, quota - window.count));
            expect(allowance.resetMs).toBe(window.beganMs + 1_000 - nowMs);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test("forgets windows that have ended", () => {
    let nowMs = 0;
    const windows = createLocalWindows(1_000, () => nowMs);
    for (let n = 0; n < 20_000; n += 1) {
      nowMs += 1;
      windows.add(`address-${n}`);
    }
    expect(windows.size()).toBeLessThan(3_000);
  });

  test("is no limit for a quota of 0", () => {
    expect(createRateLimit({ redis: NO_REDIS, prefix: "rate", quota: 0, windowMs: 1_000 })).toBeUndefined();
  });
});

describe("a process that is busy itself", () => {
  test("does not take its own pause for a Redis that is slow", async () => {
    const [one, two] = links.map((link) => limitOf(link, 10)) as [RateLimit, RateLimit];
    const address = `10.0.0.6-${randomUUID()}`;
    const takes = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? one : two).take(address));
    // The commands are on their way; for as long as this takes no answer can be read.
    await new Promise((resolve) => setImmediate(resolve));
    const untilMs = performance.now() + 250;
    while (performance.now() < untilMs);
    expect(await passed(takes)).toBe(10);
  });
});
