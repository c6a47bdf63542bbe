import type { BalanceKey } from "../../src/contract/balances.ts";
import type { Operation } from "../../src/domain/ledger/operations.ts";
import type { Ledger, PostResult } from "../../src/store/ledger/ledger.ts";

/**
 * A ledger that refreshes the cached balances after each change: after the commit and without waiting, so that the cache cannot delay
 * or fail a posting. Where the process dies before the refresh, the next change or the end of the key's lifetime mends the cache.
 */
export function refreshingLedger(ledger: Ledger, refresh: (input: { readonly wallets: readonly BalanceKey[] }) => Promise<void>): Ledger {
  const refreshDone = (operations: readonly Operation[], results: readonly PostResult[]) => {
    const done = operations.filter((_operation, place) => results[place]?.outcome === "done");
    void refresh({ wallets: done.flatMap(walletsOf) });
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
  };
}

function walletsOf({ userId, peerUserId, currency }: Operation): BalanceKey[] {
  return [{ userId, currency }, ...(peerUserId === undefined ? [] : [{ userId: peerUserId, currency }])];
}
