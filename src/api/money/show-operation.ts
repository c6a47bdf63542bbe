import { formatAmount } from "../../base/money.ts";
import type { ListedOperation } from "../../store/ledger/operation-list.ts";
import type { OperationRecord, PostingRecord } from "../../store/ledger/operations.ts";

/** Where an operation is found on this API. */
export function operationPath(operationId: string): string {
  return `/api/v1/operations/${operationId}`;
}

/**
 * An operation of a user's history, with its signed changes from that user's view. Members without a value are there and undefined, and so
 * not in the JSON: leaving them out by spreading objects took four times as long, for each of a page's rows.
 */
export function showListedOperation(operation: ListedOperation) {
  const { operationId, currency, amountMinor, availableAfterMinor, heldAfterMinor, effectiveAt } = operation;
  const recordedAt = operation.recordedAt.toISOString();
  return {
    operationId,
    kind: operation.kind,
    status: statusOf(operation),
    refusalCode: operation.refusalCode,
    amount: formatAmount(amountMinor, currency),
    currency,
    serviceId: operation.serviceId,
    orderId: operation.orderId,
    reservationId: operation.holdId,
    comment: operation.comment,
    effectiveAt: effectiveAt === operation.recordedAt ? recordedAt : effectiveAt.toISOString(),
    recordedAt,
    change: {
      available: formatAmount(operation.availableChangeMinor, currency),
      held: formatAmount(operation.heldChangeMinor, currency),
    },
    balanceAfter: {
      available: availableAfterMinor === undefined ? undefined : formatAmount(availableAfterMinor, currency),
      held: heldAfterMinor === undefined ? undefined : formatAmount(heldAfterMinor, currency),
    },
    peerUserId: operation.peerUserId,
    links: { self: operationPath(operationId) },
  };
}

/** One operation with its postings. Balances after it are left out: one of them may be another user's. */
export function showOperation(operation: OperationRecord) {
  const { operationId, currency, userId, peerUserId, workflowId, runId, position } = operation;
  const self = operationPath(operationId);
  return {
    ...showFacts(operation),
    ...(userId === undefined ? {} : { userId }),
    ...(peerUserId === undefined ? {} : { peerUserId }),
    caller: operation.caller,
    correlationId: operation.correlationId,
    ...(workflowId === undefined ? {} : { workflowId }),
    ...(runId === undefined ? {} : { runId }),
    ...(position === undefined ? {} : { event: position }),
    postings: operation.postings.map(({ debit, credit, amountMinor }) => ({
      debit: showAccount(debit),
      credit: showAccount(credit),
      amount: formatAmount(amountMinor, currency),
    })),
    links: { self, why: `${self}/why` },
  };
}

function showAccount({ kind, owner }: PostingRecord["debit"]) {
  return owner === "" ? { kind } : { kind, owner };
}

function showFacts(operation: OperationRecord) {
  const { operationId, kind, refusalCode, currency, amountMinor, serviceId, orderId, holdId } = operation;
  return {
    operationId,
    kind,
    status: statusOf(operation),
    ...(refusalCode === undefined ? {} : { refusalCode }),
    amount: formatAmount(amountMinor, currency),
    currency,
    ...(serviceId === undefined ? {} : { serviceId }),
    ...(orderId === undefined ? {} : { orderId }),
    ...(holdId === undefined ? {} : { reservationId: holdId }),
    comment: operation.comment,
    effectiveAt: operation.effectiveAt.toISOString(),
    recordedAt: operation.recordedAt.toISOString(),
  };
}

function statusOf({ refusalCode }: Pick<ListedOperation, "refusalCode">): "done" | "refused" {
  return refusalCode === undefined ? "done" : "refused";
}
