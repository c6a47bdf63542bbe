import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from "vitest";
import { startOwnRedis, type OwnRedis } from "../../../test/support/own-redis.ts";
import { until } from "../../../test/support/until.ts";
import { SILENT_LOG } from "../log.ts";
import { createAnswerCache } from "./answer-cache.ts";
import { createRateLimit } from "./rate-limits.ts";
import { openRedis, type RedisLink } from "./redis.ts";

let server: OwnRedis;
const links: RedisLink[] = [];

beforeAll(async () => {
  server = await startOwnRedis(inject("cacheDir"));
});

afterEach(async () => {
  for (const link of links.splice(0)) link.close();
  await server.becomeMaster();
  await server.client.config("SET", "maxmemory", "0");
});

afterAll(() => server.close());

async function open(warn = vi.fn()): Promise<RedisLink> {
  const link = openRedis({ url: server.url, logger: { ...SILENT_LOG, warn } });
  links.push(link);
  await until("Redis is up", () => link.isUp());
  return link;
}
const connectionOf = (link: RedisLink) => link.attempt((client) => client.client("ID"));
const write = (link: RedisLink) => link.attempt((client) => client.set("some:key", "1"));
const read = (link: RedisLink) => link.attempt((client) => client.get("some:key"));

test("a Redis that became a replica is not read, its connection is left, and it is used again once it takes writes", async () => {
  const warn = vi.fn();
  const link = await open(warn);
  const before = await connectionOf(link);
  expect([await write(link), await read(link)]).toEqual(["OK", "1"]);
  await server.becomeReplica();
  expect([await write(link), await read(link), link.isUp()]).toEqual([undefined, undefined, false]);
  await until("it says why", () =>
    link.ping().then(
      () => false,
      (error: Error) => error.message === "Redis takes no writes (READONLY)",
    ),
  );
  // Several connections on, it is the same replica still.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect([link.isUp(), await read(link)]).toEqual([false, undefined]);
  await server.becomeMaster();
  await until("it is used again", () => link.isUp());
  expect([await write(link), await read(link), await link.ping()]).toEqual(["OK", "1", undefined]);
  expect(await connectionOf(link)).toBeGreaterThan(before ?? 0);
  expect(warn.mock.calls.map(([fields]) => (fields as { event: string }).event)).toEqual(["redis.takes-no-writes"]);
});

test("a replica that is connected to is never read, also by a process that writes nothing", async () => {
  await server.becomeReplica();
  const link = openRedis({ url: server.url, logger: SILENT_LOG });
  links.push(link);
  await expect
    .poll(() =>
      link.ping().then(
        () => "",
        (error: Error) => error.message,
      ),
    )
    .toBe("Redis takes no writes (READONLY)");
  expect([link.isUp(), await read(link)]).toEqual([false, undefined]);
  await server.becomeMaster();
  await until("it is used", () => link.isUp());
});

test("a Redis without memory is not read until it takes writes again, over the connection it has", async () => {
  const link = await open();
  const before = await connectionOf(link);
  await server.client.config("SET", "maxmemory", "1");
  expect([await write(link), await read(link)]).toEqual([undefined, undefined]);
  await expect(link.ping()).rejects.toThrow("Redis takes no writes (OOM)");
  await server.client.config("SET", "maxmemory", "0");
  await until("it is used again", () => link.isUp());
  expect([await write(link), await connectionOf(link)]).toEqual(["OK", before]);
});

test("a user of Redis who may write Saldo's keys only is served", async () => {
  await server.client.call("ACL", "SETUSER", "narrow", "on", ">secret", "~some:*", "+@all");
  const link = openRedis({ url: server.url.replace("redis://", "redis://narrow:secret@"), logger: SILENT_LOG });
  links.push(link);
  await until("Redis is up", () => link.isUp());
  expect([await write(link), await read(link), await link.ping()]).toEqual(["OK", "1", undefined]);
});

test("a lease on a replica holds no request up, and a mark there is no answer", async () => {
  const key = `http:ann:route:${randomUUID()}`;
  const cache = createAnswerCache(await open());
  const begun = await cache.begin(key);
  expect(begun.state).toBe("free");
  await server.becomeReplica();
  // It cannot be given back there, and another process is not held up by it.
  await cache.end(key, begun.state === "free" ? begun.lease : undefined, undefined);
  expect((await cache.begin(key)).state).toBe("free");
});

test("a count that Redis could not be told to forget is not read when it is back", async () => {
  const link = await open();
  const limit = createRateLimit({ redis: link, prefix: "rate:login", quota: 3, windowMs: 60_000 });
  if (limit === undefined) throw new Error("there is a limit");
  for (let attempt = 0; attempt < 3; attempt += 1) await limit.take("ann");
  await server.becomeReplica();
  await limit.forget("ann");
  await server.becomeMaster();
  await until("it is used again", () => link.isUp());
  expect(await limit.take("ann")).toMatchObject({ passes: true, remaining: 2 });
});
