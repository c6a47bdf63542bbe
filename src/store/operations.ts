import { eq } from "drizzle-orm";
import { operations } from "../../drizzle/schema.ts";
import { isErrorCode, type ErrorCode } from "../errors.ts";
import type { Db } from "./database.ts";

/** What became of the operation with a key, as far as a repeat of the request must know it. */
export interface DecidedOperation {
  readonly operationId: string;
  readonly contentHash: string;
  /** Undefined when it was done. */
  readonly refusalCode: ErrorCode | undefined;
  readonly recordedAt: Date;
}

/** The operation that was decided under the key, or undefined when none was. */
export async function findOperation(db: Db, key: string): Promise<DecidedOperation | undefined> {
  const [row] = await db
    .select({
      id: operations.id,
      contentHash: operations.contentHash,
      outcome: operations.outcome,
      refusalCode: operations.refusalCode,
      recordedAt: operations.recordedAt,
    })
    .from(operations)
    .where(eq(operations.key, key));
  if (row === undefined) return undefined;
  const refusalCode = row.outcome === "done" ? undefined : isErrorCode(row.refusalCode) ? row.refusalCode : "INTERNAL";
  return { operationId: row.id.toString(), contentHash: row.contentHash, refusalCode, recordedAt: row.recordedAt };
}
