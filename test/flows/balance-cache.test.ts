import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { NO_METRICS, type BalanceReadOutcome } from "../../src/adapters/metrics/metrics.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { startCacheStorm, type CallApi } from "../support/cache-storm.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startOwnRedis, type OwnRedis } from "../support/own-redis.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let server: OwnRedis;
let links: RedisLink[];
let apis: TestApi[];
let read: Reads[];

/** Users whose balances a process read, by where it found them. */
type Reads = Record<BalanceReadOutcome, number>;

const CACHE = { times: { readLeaseMs: 500, decisionMs: 1_000, commitMs: 2_200 }, everyMs: 100, steadyMs: 300 };

function openApi(redisUrl: string): { api: TestApi; link: RedisLink; seen: Reads } {
  const link = openRedis({ url: redisUrl, logger: SILENT_LOG });
  const seen: Reads = { hit: 0, miss: 0, books: 0 };
  const metrics = { ...NO_METRICS, balancesRead: (outcome: BalanceReadOutcome, users: number) => void (seen[outcome] += users) };
  const api = createTestApi({ databaseUrl: database.appUrl, redis: link, deadlineMs: 1_000, balanceCache: CACHE, metrics });
  return { api, link, seen };
}

beforeAll(async () => {
  [database, server] = await Promise.all([createTestDatabase(), startOwnRedis(inject("cacheDir"))]);
  const opened = [openApi(server.url), openApi(server.url)];
  apis = opened.map(({ api }) => api);
  links = opened.map(({ link }) => link);
  read = opened.map(({ seen }) => seen);
});

afterAll(async () => {
  for (const api of apis) await api.close();
  for (const link of links) link.close();
  await server.close();
  await database.drop();
});

const callOf =
  ({ call }: TestApi): CallApi =>
  async (method, path, { body, key } = {}) =>
    call(method, path, { ...(body === undefined ? {} : { body }), ...(key === undefined ? {} : { key }) });
/** Both processes read from the cache, and nothing else. */
const cacheIsRead = async (): Promise<void> => {
  for (const [place, api] of apis.entries())
    await until(`process ${place} reads the cache`, async () => {
      await api.call("GET", "/api/v1/balances/warm");
      const before = read[place]?.hit ?? 0;
      await api.call("GET", "/api/v1/balances/warm");
      return (read[place]?.hit ?? 0) > before;
    });
};
const findings = async () => (await auditBooks((apis[0] as TestApi).db)).findings.filter(({ broken }) => broken !== 0n);

beforeEach(cacheIsRead);

const FAULTS: readonly (readonly [string, () => Promise<void>])[] = [
  ["killed", () => server.kill()],
  [
    "paused",
    async () => {
      await server.pause();
      await sleep(2_500);
      server.goOn();
    },
  ],
  [
    "a read-only replica for a while",
    async () => {
      await server.becomeReplica();
      await sleep(1_500);
      await server.becomeMaster();
    },
  ],
  ["flushed", async () => void (await server.client.flushall())],
  ["set back to what another server had a moment ago", () => server.failOverAndBack()],
];

describe("64 writers and 64 readers over two processes of the api miss nothing", () => {
  test.each(FAULTS)("while Redis is %s", async (_what, cause) => {
    const storm = startCacheStorm({ apis: apis.map(callOf), writers: 64, readers: 64, users: 100, seed: 1, writerRestMs: 200 });
    try {
      await until("there is work", () => storm.report().writes > 200);
      await cause();
      const { reads } = storm.report();
      await until("the storm goes on", () => storm.report().reads > reads + 2_000);
      await cacheIsRead();
      const again = storm.report().writes;
      await until("there is work with the cache open again", () => storm.report().writes > again + 200);
    } finally {
      await storm.stop();
    }
    const { broken, writes } = storm.report();
    expect(broken).toEqual([]);
    expect(writes).toBeGreaterThan(400);
    for (const api of apis) expect(await api.compareCachedBalances(1_000)).toMatchObject({ wrong: [] });
    expect(await findings()).toEqual([]);
  });
});

const deposit = (api: TestApi, user: string) => api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "1.00" } });
const balance = async (api: TestApi, user: string) => (await api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body["available"];

describe("a read through another process", () => {
  test("is answered by Redis alone the second time", async () => {
    const [one, other] = apis as [TestApi, TestApi];
    await deposit(one, "ben");
    expect(await balance(other, "ben")).toBe("1.00");
    const before = read[0]?.hit ?? 0;
    await until("the first reader has filled it in", async () => {
      expect(await balance(one, "ben")).toBe("1.00");
      return (read[0]?.hit ?? 0) > before;
    });
  });

  test("tells currencies, and nothing of who never had money, as the books do", async () => {
    const [one, other] = apis as [TestApi, TestApi];
    await one.call("POST", "/api/v1/balances/cid/deposits", { body: { amount: "1.00", currency: "USD" } });
    await deposit(one, "cid");
    const shown = async (user: string) => {
      const { asOf, ...body } = (await other.call("GET", `/api/v1/balances/${user}`)).body;
      expect(Date.parse(String(asOf))).toBeGreaterThan(Date.now() - 60_000);
      return body;
    };
    for (const user of ["cid", "nobody"]) {
      const fromBooks = await shown(user);
      const before = read[1]?.hit ?? 0;
      await until("it comes from the cache", async () => {
        expect(await shown(user)).toEqual(fromBooks);
        return (read[1]?.hit ?? 0) > before;
      });
    }
  });
});

test("the comparison with the books finds a cached balance that is wrong, and drops it", async () => {
  const [one] = apis as [TestApi];
  await one.call("POST", "/api/v1/balances/dan/deposits", { body: { amount: "1.00" } });
  const { epoch } = await one.gate();
  const key = `balance:${epoch}:dan`;
  await until("it is cached", async () => {
    await one.call("GET", "/api/v1/balances/dan");
    return (await server.client.hget(key, "text")) === "1 RUB 100 0";
  });
  await server.client.hset(key, "text", "1 RUB 900 0");
  expect((await one.call("GET", "/api/v1/balances/dan?currency=RUB")).body["available"]).toBe("9.00");
  expect((await one.compareCachedBalances(1_000)).wrong).toEqual([{ userId: "dan", cached: "1 RUB 900 0", books: "1 RUB 100 0" }]);
  expect((await one.call("GET", "/api/v1/balances/dan?currency=RUB")).body["available"]).toBe("1.00");
  expect((await one.compareCachedBalances(1_000)).wrong).toEqual([]);
});

test("each read is counted by where the balance was found", async () => {
  const [one] = apis as [TestApi];
  const counts = read[0] as Reads;
  const before = { ...counts };
  await balance(one, "eve");
  expect(counts).toEqual({ ...before, miss: before.miss + 1 });
  await until("it is read from the cache", async () => {
    await balance(one, "eve");
    return counts.hit > before.hit;
  });
  expect(counts.books).toBe(before.books);
});

// The last one: it closes the cache, and each closing makes the next opening wait longer.
test("a read has the deposit of a process that has no Redis", async () => {
  const blind = createTestApi({ databaseUrl: database.appUrl, deadlineMs: 1_000, balanceCache: CACHE });
  const [one] = apis as [TestApi];
  await deposit(one, "ann");
  await balance(one, "ann");
  expect((await deposit(blind, "ann")).status).toBe(201);
  const { books = 0 } = read[0] ?? {};
  expect(await balance(one, "ann")).toBe("2.00");
  expect(read[0]?.books).toBe(books + 1);
  await blind.close();
});
