import { randomUUID } from "node:crypto";
import { afterEach, expect, inject, it } from "vitest";
import { until } from "../../../test/support/until.ts";
import { SILENT_LOG } from "../log.ts";
import { createOrderCache } from "./order-cache.ts";
import { withOwnKeys } from "./own-keys.ts";
import { openRedis, type RedisLink } from "./redis.ts";

const links: RedisLink[] = [];

afterEach(() => {
  for (const link of links.splice(0)) link.close();
});

async function linkOf(readMark: () => Promise<string>): Promise<RedisLink> {
  const link = withOwnKeys(openRedis({ url: inject("redisUrl"), logger: SILENT_LOG }), readMark);
  links.push(link);
  return link;
}

const ready = (link: RedisLink) => until("Redis is used", async () => (await link.attempt((redis) => redis.ping())) === "PONG");

it("what one deployment keeps is nothing to another, in single commands, scripts and pipelines", async () => {
  const [left, right] = await Promise.all([linkOf(async () => "left"), linkOf(async () => "right")]);
  await Promise.all([ready(left), ready(right)]);
  const key = `own-${randomUUID()}`;
  await left.attempt((redis) => redis.set(key, "1", "EX", 60));
  await left.attempt((redis) => redis.eval("return redis.call('SET', KEYS[1], 'x', 'EX', 60)", 1, `${key}-script`));
  await left.attempt((redis) => redis.pipeline().set(`${key}-pipe`, "x", "EX", 60).exec());
  const read = (link: RedisLink) => link.attempt((redis) => redis.mget(key, `${key}-script`, `${key}-pipe`));
  expect(await read(left)).toEqual(["1", "x", "x"]);
  expect(await read(right)).toEqual([null, null, null]);
});

it("an order that one deployment keeps is not told by the other", async () => {
  const [left, right] = await Promise.all([linkOf(async () => "left"), linkOf(async () => "right")]);
  await Promise.all([ready(left), ready(right)]);
  const [orderId, text] = [randomUUID(), JSON.stringify({ status: "CONFIRMED" })];
  await createOrderCache(left).put(orderId, { version: 1n, text });
  expect([await createOrderCache(left).get(orderId), await createOrderCache(right).get(orderId)]).toMatchObject([{ text }, undefined]);
});

it("there is no Redis until the mark is known, which is asked for again", async () => {
  let asked = 0;
  const link = await linkOf(async () => {
    asked += 1;
    if (asked === 1) throw new Error("Postgres is away");
    return "late";
  });
  expect(await link.attempt((redis) => redis.ping())).toBeUndefined();
  await ready(link);
  expect(asked).toBe(2);
});
