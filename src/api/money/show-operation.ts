import { formatAmount } from "../../base/money.ts";
import type { ListedOperation } from "../../store/ledger/operation-list.ts";
import type { OperationRecord, PostingRecord } from "../../store/ledger/operations.ts";

/** Where an operation is found on this API. */
export function operationPath(operationId: string): string {
  return `/api/v1/operations/${operationId}`;
}

/** An operation of a user's history, with its signed changes from that user's view. */
export function showListedOperation(operation: ListedOperation) {
  const { currency, availableAfterMinor, heldAfterMinor, peerUserId } = operation;
  const text = (amountMinor: bigint) => formatAmount(amountMinor, currency);
  return {
    ...showFacts(operation),
    change: { available: text(operation.availableChangeMinor), held: text(operation.heldChangeMinor) },
    balanceAfter: {
      ...(availableAfterMinor === undefined ? {} : { available: text(availableAfterMinor) }),
      ...(heldAfterMinor === undefined ? {} : { held: text(heldAfterMinor) }),
    },
    ...(peerUserId === undefined ? {} : { peerUserId }),
    links: { self: operationPath(operation.operationId) },
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

function showFacts(operation: ListedOperation | OperationRecord) {
  const { operationId, kind, refusalCode, currency, amountMinor, serviceId, orderId, holdId } = operation;
  return {
    operationId,
    kind,
    status: refusalCode === undefined ? ("done" as const) : ("refused" as const),
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
