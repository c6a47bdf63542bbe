import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { createDatabase, type Database } from "./database.ts";
import { releaseLease, takeLease } from "./leases.ts";

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "leases-test", laneCount: 4, deadlineMs: 10_000 });
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const take = (name: string, holder: string, ttlMs = 60_000) => takeLease(database.db, { name, holder, ttlMs });

describe("a lease", () => {
  it("has one holder, who may renew it", async () => {
    expect(await take("one", "a")).toBe(true);
    expect(await take("one", "b")).toBe(false);
    expect(await take("one", "a")).toBe(true);
  });

  it("goes to the next one when its time has passed or it was given back", async () => {
    await take("two", "a", 50);
    await sleep(100);
    expect(await take("two", "b")).toBe(true);
    await releaseLease(database.db, { name: "two", holder: "a" });
    expect(await take("two", "c")).toBe(false);
    await releaseLease(database.db, { name: "two", holder: "b" });
    expect(await take("two", "c")).toBe(true);
  });

  it("goes to one of many who ask at the same time", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, place) => take("three", String(place))));
    expect(answers.filter(Boolean)).toHaveLength(1);
  });
});
