import { DomainError } from "../../base/errors.ts";
import type { Operation } from "../../domain/ledger/operations.ts";
import type { Ledger, PostResult } from "./ledger.ts";

/** An operation that is done: now, or under the same key before. */
export type DoneOperation = Extract<PostResult, { outcome: "done" }>;

/**
 * The result of an operation that was done; a refusal and a conflict become errors.
 * Throws: the code that the operation was refused with; IDEMPOTENCY_CONFLICT when its key belongs to an operation with other content.
 */
export function doneOrThrow(result: PostResult): DoneOperation {
  switch (result.outcome) {
    case "done":
      return result;
    case "refused":
      throw new DomainError(result.code);
    case "conflict":
      throw new DomainError("IDEMPOTENCY_CONFLICT");
  }
}

/**
 * Posts one operation and gives its result when it was done, now or under the same key before.
 * Safe to retry: the key decides.
 * Throws: as `doneOrThrow`; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function postOnLedger(ledger: Ledger, operation: Operation): Promise<DoneOperation> {
  return doneOrThrow(await ledger.post(operation));
}
