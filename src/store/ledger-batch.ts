import { DomainError } from "../errors.ts";
import { contentHash, type Account, type HoldOpening, type Operation } from "../domain/operations.ts";

/** Gives each distinct value its place in a list, in the order they were first met. */
function createIndex<Value>() {
  const places = new Map<string, number>();
  const values: Value[] = [];
  return {
    values,
    place(key: string, value: () => Value): number {
      const known = places.get(key);
      if (known !== undefined) return known;
      places.set(key, values.length);
      values.push(value());
      return values.length - 1;
    },
  };
}

/** The five JSON texts that `ledger_post` takes: operations and postings refer to accounts, holds and orders by their place in the lists, which are null where they are empty. */
export function encodeBatch(operations: readonly Operation[]): (string | null)[] {
  const accounts = createIndex<{ kind: string; owner: string; currency: string }>();
  const holds = createIndex<{ id: string }>();
  const orders = createIndex<{ id: string }>();
  const postings: Record<string, unknown>[] = [];
  const encoded = operations.map((operation) => {
    const accountPlace = ({ kind, owner }: Account) =>
      accounts.place(`${kind}\0${owner}\0${operation.currency}`, () => ({ kind, owner, currency: operation.currency }));
    const firstPosting = postings.length;
    for (const posting of operation.postings) {
      const { hold } = posting;
      postings.push({
        debit: accountPlace(posting.debit),
        credit: accountPlace(posting.credit),
        ...(posting.amountMinor === "remainder" ? {} : { amount: posting.amountMinor.toString() }),
        ...(hold === undefined ? {} : { hold: holds.place(hold.id, () => ({ id: hold.id })), effect: hold.effect }),
        ...(hold?.effect === "open" ? encodeOpening(operation, hold.id) : {}),
        ...(posting.credit.kind === "revenue" ? { serviceId: posting.credit.owner, sign: 1 } : {}),
        ...(posting.debit.kind === "revenue" ? { serviceId: posting.debit.owner, sign: -1 } : {}),
        effectiveAt: operation.effectiveAt,
      });
    }
    const change = operation.orderChange;
    return {
      key: operation.key,
      hash: contentHash(operation),
      kind: operation.kind,
      currency: operation.currency,
      firstPosting,
      postingCount: operation.postings.length,
      userId: operation.userId,
      peerUserId: operation.peerUserId,
      serviceId: operation.serviceId,
      orderId: operation.orderId,
      holdId: operation.holdId,
      ...operation.origin.position,
      workflowId: operation.origin.workflowId,
      runId: operation.origin.runId,
      caller: operation.origin.caller,
      correlationId: operation.origin.correlationId,
      comment: operation.comment,
      effectiveAt: operation.effectiveAt,
      ...(change === undefined
        ? {}
        : {
            order: orders.place(change.orderId, () => ({ id: change.orderId })),
            orderFrom: change.from,
            orderTo: change.to,
            orderStatus: change.status,
          }),
    };
  });
  return [encoded, postings, accounts.values, holds.values, orders.values].map((list) => (list.length === 0 ? null : JSON.stringify(list)));
}

// The opening travels with its posting and not with the hold: two operations of a batch may try to open one hold, and it is the
// one that succeeds whose words must stand in the row.
function encodeOpening(operation: Operation, holdId: string): Record<string, unknown> {
  const opening: HoldOpening | undefined = operation.opens?.find((one) => one.id === holdId);
  if (opening === undefined) throw new DomainError("INTERNAL", `a posting opens the hold ${holdId} that the operation does not describe`);
  const { purpose, serviceId, orderId, lineNo, requestHash, expiresAt } = opening;
  return {
    purpose,
    openServiceId: serviceId,
    orderId,
    lineNo,
    requestHash,
    expiresAt,
    workflowId: operation.origin.workflowId ?? "",
    comment: operation.comment,
  };
}
