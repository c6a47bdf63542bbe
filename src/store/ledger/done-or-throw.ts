import { DomainError } from "../../base/errors.ts";
import type { Operation } from "../../domain/ledger/operations.ts";
import type { Ledger, PostResult } from "./ledger.ts";

/**
 * Posts one operation and gives its result when it was done, now or under the same key before.
 * Safe to retry: the key decides.
 * Throws: the code it was refused with; IDEMPOTENCY_CONFLICT when its key belongs to an operation with other content; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function postOnLedger(ledger: Ledger, operation: Operation): Promise<Extract<PostResult, { outcome: "done" }>> {
  const result = await ledger.post(operation);
  switch (result.outcome) {
    case "done":
      return result;
    case "refused":
      throw new DomainError(result.code);
    case "conflict":
      throw new DomainError("IDEMPOTENCY_CONFLICT");
  }
}
