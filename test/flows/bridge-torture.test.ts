import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { makeTestNamespace } from "../support/test-namespace.ts";
import { tortureBridge } from "../support/torture.ts";

let testDatabase: TestDatabase;
let temporalNamespace: string;
let dataDir: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  temporalNamespace = await makeTestNamespace(inject("temporalAddress"));
  dataDir = await mkdtemp(join(tmpdir(), "saldo-torture-"));
});

afterAll(async () => {
  await testDatabase.drop();
  await rm(dataDir, { recursive: true, force: true });
});

it("every event takes effect once while bridges are killed, join and leave and events come up to three times", async () => {
  const result = await tortureBridge({
    servers: {
      databaseUrl: testDatabase.appUrl,
      temporalAddress: inject("temporalAddress"),
      temporalNamespace,
      kafkaBrokers: inject("kafkaBrokers"),
    },
    dataDir,
    cacheDir: inject("cacheDir"),
    bridges: 2,
    events: 2_000,
    seconds: 10,
    seed: 20_261_121,
    pauseMs: { min: 2_000, max: 4_000 },
    timeoutMs: 90_000,
    log: () => {},
  });
  expect(result.problems).toEqual([]);
  expect(result.kills).toBeGreaterThan(1);
}, 180_000);
