import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { depositOperation, withdrawalOperation } from "../../domain/ledger/wallet-operations.ts";
import { createLedger, type Ledger } from "./ledger.ts";

let database: TestDatabase;
let ledger: Ledger;

beforeAll(async () => {
  database = await createTestDatabase();
  ledger = createLedger({ url: database.appUrl, name: "ledger-order-test", laneCount: 2, deadlineMs: 30_000 });
});

afterAll(async () => {
  await ledger.close();
  await database.drop();
});

const movement = (key: string, userId: string, amountMinor: bigint) => ({
  key,
  userId,
  currency: "RUB",
  amountMinor,
  comment: "test",
  origin: { caller: "test", correlationId: "test" },
});

/** All in, then all out: an operation that overtakes those before it finds too little and is refused. */
const inThenOut = (userId: string, count: number) =>
  Array.from({ length: count }, (_, place) => {
    const operation = movement(`${userId}-${place}`, userId, 5n);
    // The long words make the first call the slower one to begin.
    return place < count / 2 ? depositOperation({ ...operation, comment: "in ".repeat(7_000) }) : withdrawalOperation(operation);
  });

describe("postAll", () => {
  it("posts in the given order, also when its operations take several calls and other calls run beside it", async () => {
    const results = await Promise.all(["ann", "ben"].map((userId) => ledger.postAll(inThenOut(userId, 450))));
    expect(results.flat().filter(({ outcome }) => outcome !== "done")).toEqual([]);
  });

  it("posts nothing after an operation that failed", async () => {
    const operations = inThenOut("dot", 450);
    const broken = { ...depositOperation(movement("broken", "dot", 5n)), currency: "\u0000" };
    await expect(ledger.postAll([...operations.slice(0, 250), broken, ...operations.slice(250)])).rejects.toThrow(/unicode/i);
    const [before, after, last] = await Promise.all([249, 250, 449].map((place) => ledger.post(operations[place] ?? broken)));
    expect([before, after, last]).toMatchObject([{ duplicate: true }, { duplicate: false }, { duplicate: false }]);
  });
});
