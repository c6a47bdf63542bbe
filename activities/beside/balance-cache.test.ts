import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createBalanceCache } from "../../src/adapters/redis/balance-cache.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { startOwnRedis, type OwnRedis } from "../../test/support/own-redis.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { until } from "../../test/support/until.ts";
import { createBalanceRefresh } from "./balance-cache.ts";
import { refreshingLedger } from "./refreshing-ledger.ts";

let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let server: OwnRedis;
let link: RedisLink;
let userId: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  server = await startOwnRedis(inject("cacheDir"));
  const options = { url: testDatabase.appUrl, deadlineMs: 10_000, laneCount: 1 };
  database = createDatabase({ ...options, name: "test" });
  link = openRedis({ url: server.url, logger: SILENT_LOG });
  await until("Redis is up", () => link.isUp());
  const refresh = createBalanceRefresh({ db: database.db, balanceCache: createBalanceCache({ redis: link }), logger: SILENT_LOG });
  ledger = refreshingLedger(createLedger({ ...options, name: "test-ledger" }), refresh);
});

afterAll(async () => {
  link.close();
  await Promise.all([ledger.close(), database.close(), server.close()]);
  await testDatabase.drop();
});

beforeEach(() => {
  userId = `user-${randomUUID()}`;
});

const deposit = (key: string, amountMinor: bigint) =>
  depositOperation({
    key: `${userId}-${key}`,
    userId,
    currency: "RUB",
    amountMinor,
    comment: "",
    origin: { caller: "t", correlationId: "t" },
  });
const cached = () => server.client.hget(`balance:${userId}:RUB`, "available");

test("a change that Redis could not be told of is there soon after Redis takes writes again", async () => {
  await ledger.post(deposit("1", 100n));
  await until("the first balance is cached", async () => (await cached()) === "100");
  await server.becomeReplica();
  await ledger.post(deposit("2", 50n));
  await until("the process knows that Redis takes no writes", () => !link.isUp());
  expect(await cached()).toBe("100");
  await server.becomeMaster();
  await until("the second balance is cached", async () => (await cached()) === "150", 10_000);
});

test("two changes of one wallet in one batch are one balance, not twice it", async () => {
  await ledger.postAll([deposit("1", 100n), deposit("2", 50n)]);
  await until("the balance is cached", async () => (await cached()) !== null);
  expect(await cached()).toBe("150");
});

test("many changes of the same moment end with the last balance in the cache", async () => {
  await Promise.all(Array.from({ length: 300 }, (_, n) => ledger.post(deposit(`${n}`, 1n))));
  await until("the last balance is cached", async () => (await cached()) === "300");
});
