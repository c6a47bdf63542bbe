import { expect, it } from "vitest";
import type { Operation } from "../../src/domain/ledger/operations.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import type { Ledger, PostResult } from "../../src/store/ledger/ledger.ts";
import { refreshingLedger } from "./refreshing-ledger.ts";

const deposit = (userId: string) =>
  depositOperation({
    key: `d-${userId}`,
    userId,
    currency: "RUB",
    amountMinor: 100n,
    comment: "test",
    origin: { caller: "test", correlationId: "test" },
  });
const transfer: Operation = { ...deposit("cid"), peerUserId: "dan" };

it("brings all balances that a change moved into the cache at once, and none that it did not", async () => {
  const results = ["done", "refused", "done"].map((outcome) => ({ outcome }) as PostResult);
  const book = { postAll: async () => results } as unknown as Ledger;
  const refreshed: unknown[] = [];
  await refreshingLedger(book, async (wallets) => void refreshed.push(wallets)).postAll([deposit("ann"), deposit("ben"), transfer]);
  expect(refreshed).toEqual([["ann", "cid", "dan"].map((userId) => ({ userId, currency: "RUB" }))]);
});
