import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { depositOperation, withdrawalOperation } from "../domain/wallet-operations.ts";
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

const movement = (key: string, userId: string, amountMinor: bigint) => ({ key, userId, currency: "RUB", amountMinor, comment: "test", origin: { caller: "test", correlationId: "test" } });

/** In and out in turn: an operation that overtakes the one before it finds an empty account and is refused. */
const inAndOut = (userId: string, count: number) =>
  Array.from({ length: count }, (_, place) =>
    place % 2 === 0 ? depositOperation(movement(`${userId}-${place}`, userId, 5n)) : withdrawalOperation(movement(`${userId}-${place}`, userId, 5n)),
  );

describe("postAll", () => {
  it("posts in the given order, also when its operations take several calls and other calls run beside it", async () => {
    const results = await Promise.all(["ann", "ben", "cid"].map((userId) => ledger.postAll(inAndOut(userId, 450))));
    expect(results.flat().filter(({ outcome }) => outcome !== "done")).toEqual([]);
  });

  it("posts nothing after an operation that failed", async () => {
    const operations = inAndOut("dot", 450);
    const broken = { ...depositOperation(movement("broken", "dot", 5n)), currency: "\u0000" };
    await expect(ledger.postAll([...operations.slice(0, 250), broken, ...operations.slice(250)])).rejects.toThrow();
    // The call that holds the broken one is taken apart; what waited behind it for a further call was never sent.
    const last = await ledger.post(operations[449] ?? broken);
    expect(last).toMatchObject({ duplicate: false });
  });
});
