import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { startOwnRedis, type OwnRedis } from "../../../test/support/own-redis.ts";
import { until } from "../../../test/support/until.ts";
import { SILENT_LOG, type Log } from "../log.ts";
import { createAnswerCache } from "./answer-cache.ts";
import { ownRedis } from "./own-redis.ts";
import { openRedis, type RedisLink } from "./redis.ts";

let server: OwnRedis;
const links: RedisLink[] = [];

beforeAll(async () => {
  server = await startOwnRedis(inject("cacheDir"));
});
beforeEach(() => server.client.flushall());
afterEach(() => {
  for (const link of links.splice(0)) link.close();
});
afterAll(() => server.close());

function linkOf(readMark: () => Promise<string>, logger: Log = SILENT_LOG): RedisLink {
  const link = ownRedis(openRedis({ url: server.url, logger: SILENT_LOG }), { readMark, logger });
  links.push(link);
  return link;
}
const linkOfDeployment = (mark: string, logger?: Log) => linkOf(async () => mark, logger);
const used = (link: RedisLink) => until("Redis is used", () => link.isUp());

test("a first answer that one deployment keeps is not told by another that has the same Redis", async () => {
  const mine = linkOfDeployment("mine");
  await used(mine);
  const key = `http:ann:POST /transfers:${randomUUID()}`;
  const answer = { requestHash: "h", status: 201, headers: {}, body: "{}" };
  await createAnswerCache(mine).end(key, undefined, answer);
  const warned: unknown[] = [];
  const theirs = linkOfDeployment("theirs", { ...SILENT_LOG, warn: (fields: unknown) => warned.push(fields) });
  await until("it is known to be another's", () => warned.length > 0);
  expect(warned).toEqual([{ event: "redis.foreign", key: "saldo:deployment" }]);
  expect(theirs.isUp()).toBe(false);
  expect(await createAnswerCache(theirs).begin(key)).toMatchObject({ state: "free" });
  expect(await createAnswerCache(mine).begin(key)).toMatchObject({ state: "answered" });
  await expect(theirs.ping()).rejects.toMatchObject({ code: "UNAVAILABLE", message: "Redis is another deployment's (saldo:deployment)" });
});

test("all processes of a deployment use it, and its mark outlives them by a day, as what they keep does", async () => {
  const [first, second] = [linkOfDeployment("mine"), linkOfDeployment("mine")];
  await Promise.all([used(first), used(second)]);
  expect(await second.attempt((redis) => redis.get("saldo:deployment"))).toBe("mine");
  expect(await server.client.pttl("saldo:deployment")).toBeGreaterThan(24 * 3_600_000 - 60_000);
});

test("a Redis without a mark is used once the deployment knows its own, which is asked for again", async () => {
  let asked = 0;
  const link = linkOf(async () => {
    asked += 1;
    if (asked === 1) throw new Error("Postgres is away");
    return "late";
  });
  expect(await link.attempt((redis) => redis.ping())).toBeUndefined();
  await used(link);
  expect(asked).toBe(2);
  expect(await server.client.get("saldo:deployment")).toBe("late");
});
