import { DomainError, type ErrorCode } from "../../base/errors.ts";
import { contentHash, type Operation } from "../../domain/ledger/operations.ts";
import type { Db } from "../postgres/database.ts";
import { findOperation } from "./operations.ts";

/** What the ledger decided under an operation's key; `conflict`: the key belongs to an operation with other content, which was done or refused. */
export type Decision =
  | { readonly outcome: "done" }
  | { readonly outcome: "refused"; readonly code: ErrorCode }
  | { readonly outcome: "conflict"; readonly otherWasDone: boolean };

/** The decision under the operation's key; undefined while there is none. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findDecided(db: Db, operation: Operation): Promise<Decision | undefined> {
  const known = await findOperation(db, operation.key);
  if (known === undefined) return undefined;
  if (known.contentHash !== contentHash(operation)) return { outcome: "conflict", otherWasDone: known.refusalCode === undefined };
  if (known.refusalCode !== undefined) return { outcome: "refused", code: known.refusalCode };
  return { outcome: "done" };
}

/**
 * True when the operation was done under its key, false while nothing is decided.
 * Throws: the code it was refused with; IDEMPOTENCY_CONFLICT when the key belongs to an operation with other content; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function wasDone(db: Db, operation: Operation): Promise<boolean> {
  const decision = await findDecided(db, operation);
  if (decision?.outcome === "refused") throw new DomainError(decision.code);
  if (decision?.outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
  return decision !== undefined;
}
