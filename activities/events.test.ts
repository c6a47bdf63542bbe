import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DomainError } from "../src/base/errors.ts";
import type { EventBatchInput, EventBatchResult, PurchaseEventItem } from "../src/contract/events.ts";
import { depositOperation } from "../src/domain/ledger/wallet-operations.ts";
import { createLedger, type Ledger } from "../src/store/ledger/ledger.ts";
import { createDatabase, type Database } from "../src/store/postgres/database.ts";
import { createTestDatabase, type TestDatabase } from "../test/support/test-database.ts";
import { createEventActivities } from "./events.ts";

let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "events-test", laneCount: 1, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "events-test", laneCount: 2, deadlineMs: 10_000 });
});

afterAll(async () => {
  await ledger.close();
  await database.close();
  await testDatabase.drop();
});

const activities = (over: Ledger = ledger) => createEventActivities({ ledger: over });
const apply = (topic: string, events: readonly PurchaseEventItem[], over?: Ledger): Promise<EventBatchResult> => {
  const input: EventBatchInput = { topic, partition: 0, firstOffset: "0", lastOffset: "9", events };
  return new MockActivityEnvironment().run(activities(over).applyEvents, input);
};
const item = (offset: number, change: Partial<PurchaseEventItem> = {}): PurchaseEventItem => ({
  offset: String(offset),
  userId: "ann",
  amountMinor: "100",
  currency: "USD",
  paymentMethod: "card",
  occurredAt: "2024-01-01T00:00:00.000Z",
  ...change,
});

describe("applying events", () => {
  it("changes nothing the second time, and when two do it at once", async () => {
    const events = [item(0), item(1), item(2, { paymentMethod: "wallet" })];
    const both = await Promise.all([apply("twice", events), apply("twice", events)]);
    expect(both[0].applied + both[0].refused + both[1].applied + both[1].refused).toBe(3);
    expect(await apply("twice", events)).toMatchObject({ applied: 0, refused: 0, duplicates: 3 });
  });

  it.each(["53100", "EAI_AGAIN", "57P04", "XX000", "28P01", "0A000", "42883", "unheard of"])(
    "makes no dead letters while the ledger fails with %s: that may pass",
    async (code) => {
      const away = () => Promise.reject(Object.assign(new Error("away"), { code }));
      await expect(apply("away", [item(0), item(1)], { ...ledger, post: away, postAll: away })).rejects.toThrow("away");
    },
  );

  it.each(["22003", "22P05", "23514", "54000", "P0001"])("sets aside only the event that the ledger refuses with %s", async (code) => {
    const refuse = () => Promise.reject(Object.assign(new Error("too large"), { code }));
    const posted: string[] = [];
    const post: Ledger["post"] = async (operation) => {
      if (operation.userId === "big") return refuse();
      posted.push(operation.key);
      return ledger.post(operation);
    };
    const result = await apply(`aside-${code}`, [item(0), item(1, { userId: "big" }), item(2)], { ...ledger, post, postAll: refuse });
    expect(result).toMatchObject({ applied: 2, failures: [{ offset: "1", message: "too large" }] });
    expect(posted).toHaveLength(2);
  });

  it("keeps the order of one user's events", async () => {
    await ledger.post(
      depositOperation({
        key: "seed",
        userId: "ben",
        currency: "USD",
        amountMinor: 100n,
        comment: "seed",
        origin: { caller: "test", correlationId: "test" },
      }),
    );
    const events = [item(0, { userId: "ben", paymentMethod: "wallet" }), item(1, { userId: "ben", paymentMethod: "wallet" })];
    expect(await apply("order", events)).toMatchObject({ applied: 1, refused: 1 });
    const rows = await database.db.execute<{ outcome: string }>("select outcome from operations where topic = 'order' order by \"offset\"");
    expect([...rows].map(({ outcome }) => outcome)).toEqual(["done", "refused"]);
  });

  it("fails only the event that the ledger cannot take at all", async () => {
    const result = await apply("broken", [item(0), item(1, { occurredAt: "no date" }), item(2)]);
    expect(result).toMatchObject({ failures: [{ offset: "1" }], conflicts: [], refused: 0 });
    // What stood before the broken one had been applied by the first call already.
    expect(result.applied + result.duplicates).toBe(2);
  });

  it("passes on that the ledger is away, so that the batch is tried again", async () => {
    const away: Ledger = { ...ledger, postAll: async () => Promise.reject(new DomainError("UNAVAILABLE")) };
    await expect(apply("away", [item(0)], away)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
