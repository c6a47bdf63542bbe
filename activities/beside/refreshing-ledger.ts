import type { BalanceKey } from "../../src/contract/balances.ts";
import type { Operation } from "../../src/domain/ledger/operations.ts";
import type { Ledger, PostResult } from "../../src/store/ledger/ledger.ts";
import type { RefreshBalances } from "./balance-cache.ts";

/**
 * A ledger that refreshes the cached balances after each change: after the commit and without waiting, so that the cache cannot delay
 * or fail a posting.
 */
export function refreshingLedger(ledger: Ledger, refresh: RefreshBalances): Ledger {
  const refreshDone = (operations: readonly Operation[], results: readonly PostResult[]) => {
    const done = operations.filter((_operation, place) => results[place]?.outcome === "done");
    void refresh(done.flatMap(walletsOf));
  };
  return {
    ...ledger,
    async post(operation) {
      const result = await ledger.post(operation);
      refreshDone([operation], [result]);
      return result;
    },
    async postAll(operations) {
      const results = await ledger.postAll(operations);
      refreshDone(operations, results);
      return results;
    },
    async postPair(pair) {
      const results = await ledger.postPair(pair);
      // Both change the same wallets.
      refreshDone(pair.slice(0, 1), results);
      return results;
    },
  };
}

function walletsOf({ userId, peerUserId, currency }: Operation): BalanceKey[] {
  return [{ userId, currency }, ...(peerUserId === undefined ? [] : [{ userId: peerUserId, currency }])];
}
