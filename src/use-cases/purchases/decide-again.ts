import { DomainError } from "../../base/errors.ts";
import { decidedAgainKey } from "../../contract/ids.ts";
import type { Operation, Origin } from "../../domain/ledger/operations.ts";
import { pointsOperation, purchaseOperation } from "../../domain/ledger/wallet-operations.ts";
import { postOnLedger, type DoneOperation } from "../../store/ledger/done-or-throw.ts";
import type { Ledger } from "../../store/ledger/ledger.ts";
import { findOperation, getOperation, type OperationRecord } from "../../store/ledger/operations.ts";
import type { Db } from "../../store/postgres/database.ts";

/** A refused event, and where its next try begins. */
export interface RefusedEvent {
  readonly refused: OperationRecord;
  /** The operation itself or the newest refused try after it, from which the next one has its key. */
  readonly lastRefusedId: string;
}

/**
 * Decides an event once more that the ledger refused: it was read before the money it spends. The refused operation stays as it is, and the new one
 * names the same message. Safe to retry: what was done once is the answer for ever, and two callers at a time have one try together.
 * Throws: the code with which the ledger refuses it again; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function decideAgain(ledger: Ledger, { refused, lastRefusedId }: RefusedEvent, origin: Origin): Promise<DoneOperation> {
  return await postOnLedger(ledger, onceMore(refused, decidedAgainKey(lastRefusedId), origin));
}

/** The refused event and its last refused try. Throws: OPERATION_NOT_FOUND; ACT_NOT_POSSIBLE when it is no refused event; UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findRefusedEvent(db: Db, operationId: string): Promise<RefusedEvent> {
  const refused = await getOperation(db, operationId);
  if (refused === undefined) throw new DomainError("OPERATION_NOT_FOUND");
  const isEvent = refused.position !== undefined && (refused.kind === "charge" || refused.kind === "redemption");
  if (!isEvent || refused.refusalCode === undefined)
    throw new DomainError("ACT_NOT_POSSIBLE", "only an event of Kafka that was refused can be decided once more");
  for (let lastRefusedId = operationId; ;) {
    const next = await findOperation(db, decidedAgainKey(lastRefusedId));
    if (next?.refusalCode === undefined) return { refused, lastRefusedId };
    lastRefusedId = next.operationId;
  }
}

function onceMore(refused: OperationRecord, key: string, origin: Origin): Operation {
  const { kind, currency, amountMinor, serviceId, orderId, position } = refused;
  const common = {
    key,
    userId: refused.userId ?? "",
    currency,
    amountMinor,
    comment: refused.comment,
    occurredAt: refused.effectiveAt.toISOString(),
    origin: { ...origin, ...(position === undefined ? {} : { position }) },
  };
  if (kind === "redemption") return pointsOperation({ ...common, type: "redemption" });
  return purchaseOperation({
    ...common,
    paymentMethod: "wallet",
    ...(serviceId === undefined ? {} : { serviceId }),
    ...(orderId === undefined ? {} : { orderId }),
  });
}
