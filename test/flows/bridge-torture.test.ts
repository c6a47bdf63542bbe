import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { tortureBridge } from "../support/torture.ts";

let testDatabase: TestDatabase;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
});

afterAll(() => testDatabase.drop());

it("every event takes effect once while bridges are killed, join and leave and events come up to three times", async () => {
  const result = await tortureBridge({
    brokers: inject("kafkaBrokers"),
    databaseUrl: testDatabase.appUrl,
    events: 5_000,
    seconds: 12,
    seed: 20_261_121,
    pauseMs: { min: 1_000, max: 3_000 },
    timeoutMs: 60_000,
    log: () => {},
  });
  expect(result.problems).toEqual([]);
  expect(result.kills).toBeGreaterThan(1);
}, 120_000);
