import type { BalanceKey } from "../src/contract/balances.ts";
import type { Operation } from "../src/domain/operations.ts";
import type { Ledger } from "../src/store/ledger.ts";

/**
 * A ledger whose every change brings the balances it moved into the cache: after the commit, and without being waited for, so
 * that the cache neither delays nor fails the money. What a lost process leaves behind is put right by the next change or
 * by the key's own lifetime.
 */
export function refreshingLedger(ledger: Ledger, refreshBalance: (key: BalanceKey) => Promise<void>): Ledger {
  const refresh = ({ userId, peerUserId, currency }: Operation) => {
    void refreshBalance({ userId, currency });
    if (peerUserId !== undefined) void refreshBalance({ userId: peerUserId, currency });
  };
  return {
    ...ledger,
    async post(operation) {
      const result = await ledger.post(operation);
      if (result.outcome === "done") refresh(operation);
      return result;
    },
    async postAll(operations) {
      const results = await ledger.postAll(operations);
      for (const [place, operation] of operations.entries()) if (results[place]?.outcome === "done") refresh(operation);
      return results;
    },
  };
}
