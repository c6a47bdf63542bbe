import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { depositOperation } from "../../domain/ledger/wallet-operations.ts";
import { createDatabase, type Database, type Db } from "../postgres/database.ts";
import { createBalanceReader } from "./balance-reader.ts";
import { createLedger, type Ledger } from "./ledger.ts";

let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "reader", laneCount: 2, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "writer", laneCount: 1, deadlineMs: 10_000 });
});

afterAll(async () => {
  await Promise.all([database.close(), ledger.close()]);
  await testDatabase.drop();
});

const origin = { caller: "test", correlationId: "c" };
const deposit = (userId: string, amountMinor: bigint, key: string) =>
  ledger.post(depositOperation({ key, userId, currency: "RUB", amountMinor, comment: "", origin }));

/** The same database, counting its statements. */
function counting(db: Db): { db: Db; count: () => number } {
  let statements = 0;
  const counted = Object.assign(Object.create(db) as Db, {
    execute: (...parameters: Parameters<Db["execute"]>) => {
      statements += 1;
      return db.execute(...parameters);
    },
  });
  return { db: counted, count: () => statements };
}

describe("the balance reader", () => {
  test("answers callers of one moment with one statement, each with their own", async () => {
    await Promise.all(Array.from({ length: 50 }, (_, place) => deposit(`user-${place}`, BigInt(place + 1), `k-${place}`)));
    const { db, count } = counting(database.db);
    const reader = createBalanceReader(db);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, place) => reader.read(`user-${place}`)));
    expect(answers.map(({ balances }) => balances[0]?.availableMinor)).toEqual(Array.from({ length: 50 }, (_, place) => BigInt(place + 1)));
    expect(count()).toBe(1);
  });

  test("sees every change that was committed before it was asked, also under load", async () => {
    const reader = createBalanceReader(database.db, 1);
    for (let round = 1; round <= 20; round += 1) {
      void reader.read("other");
      await deposit("fresh", 1n, `fresh-${round}`);
      expect((await reader.read("fresh")).balances[0]?.availableMinor).toBe(BigInt(round));
    }
  });

  test("a failed statement fails its callers and no later one", async () => {
    let broken = true;
    const failing = Object.assign(Object.create(database.db) as Db, {
      execute: (...parameters: Parameters<Db["execute"]>) =>
        broken ? Promise.reject(new Error("gone")) : database.db.execute(...parameters),
    });
    const reader = createBalanceReader(failing);
    await expect(reader.read("user-1")).rejects.toThrow("gone");
    broken = false;
    expect((await reader.read("user-1")).balances).toHaveLength(1);
  });
});
