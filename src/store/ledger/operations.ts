import { eq, sql } from "drizzle-orm";
import { operations } from "../../../drizzle/schema/ledger.ts";
import { isErrorCode, type ErrorCode } from "../../base/errors.ts";
import type { MessagePosition } from "../../contract/ids.ts";
import type { AccountKind, OperationKind } from "../../domain/ledger/operations.ts";
import type { Db } from "../postgres/database.ts";

/** The outcome of an operation, as far as a repeat of its request must know it. */
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

/** One movement of an operation. The owner is empty for money outside and at the payment provider. */
export interface PostingRecord {
  readonly debit: { readonly kind: AccountKind; readonly owner: string };
  readonly credit: { readonly kind: AccountKind; readonly owner: string };
  readonly amountMinor: bigint;
}

/** An operation as it was recorded, refused ones included, with everything that says where it came from. */
export interface OperationRecord {
  readonly operationId: string;
  readonly kind: OperationKind;
  /** Undefined when it was done. */
  readonly refusalCode: string | undefined;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly userId: string | undefined;
  readonly peerUserId: string | undefined;
  readonly serviceId: string | undefined;
  readonly orderId: string | undefined;
  readonly holdId: string | undefined;
  readonly workflowId: string | undefined;
  readonly runId: string | undefined;
  /** The Kafka message it came from. */
  readonly position: MessagePosition | undefined;
  readonly caller: string;
  readonly correlationId: string;
  readonly comment: string;
  readonly effectiveAt: Date;
  readonly recordedAt: Date;
  readonly postings: readonly PostingRecord[];
}

/** The operation with its postings, or undefined when there is none. The id must be a bigint in decimal. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getOperation(db: Db, operationId: string): Promise<OperationRecord | undefined> {
  const [row] = await db
    .select({
      operation: operations,
      postings: sql<string>`coalesce((select json_agg(json_build_object('amount', p.amount_minor::text, 'debit', json_build_object('kind', d.kind, 'owner', d.owner),
        'credit', json_build_object('kind', c.kind, 'owner', c.owner)) order by p.id)
        from postings p join accounts d on d.id = p.debit_account join accounts c on c.id = p.credit_account where p.operation_id = operations.id), '[]')`,
    })
    .from(operations)
    .where(eq(operations.id, BigInt(operationId)));
  return row === undefined ? undefined : toOperationRecord(row.operation, row.postings);
}

type Side = PostingRecord["debit"];

function toOperationRecord(row: typeof operations.$inferSelect, postings: string): OperationRecord {
  const { topic, partition, offset } = row;
  return {
    operationId: row.id.toString(),
    kind: row.kind as OperationKind,
    refusalCode: row.refusalCode ?? undefined,
    currency: row.currency,
    amountMinor: row.amountMinor,
    userId: row.userId ?? undefined,
    peerUserId: row.peerUserId ?? undefined,
    serviceId: row.serviceId ?? undefined,
    orderId: row.orderId ?? undefined,
    holdId: row.holdId ?? undefined,
    workflowId: row.workflowId ?? undefined,
    runId: row.runId ?? undefined,
    position: topic === null || partition === null || offset === null ? undefined : { topic, partition, offset: offset.toString() },
    caller: row.caller,
    correlationId: row.correlationId,
    comment: row.comment,
    effectiveAt: row.effectiveAt,
    recordedAt: row.recordedAt,
    postings: (JSON.parse(postings) as { amount: string; debit: Side; credit: Side }[]).map(({ amount, debit, credit }) => ({
      debit,
      credit,
      amountMinor: BigInt(amount),
    })),
  };
}
