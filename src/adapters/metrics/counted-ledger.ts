import type { Ledger, PostResult } from "../../store/ledger/ledger.ts";
import type { Metrics } from "./metrics.ts";

/** The ledger, and each operation put to it counted by its kind and by what became of it. */
export function countPosts(ledger: Ledger, metrics: Metrics): Ledger {
  const note = (kind: string, result: PostResult): PostResult => {
    metrics.posted(kind, result.outcome === "done" && result.duplicate ? "duplicate" : result.outcome);
    return result;
  };
  const noteAll = <Results extends readonly PostResult[]>(operations: readonly { readonly kind: string }[], results: Results): Results => {
    for (const [place, result] of results.entries()) note(operations[place]?.kind ?? "unknown", result);
    return results;
  };
  return {
    ...ledger,
    async post(operation) {
      try {
        return note(operation.kind, await ledger.post(operation));
      } catch (error) {
        metrics.posted(operation.kind, "failed");
        throw error;
      }
    },
    async postAll(operations) {
      return noteAll(operations, await ledger.postAll(operations));
    },
    async postPair(pair) {
      return noteAll(pair, await ledger.postPair(pair));
    },
  };
}
