import { DomainError } from "../../base/errors.ts";
import { contentHash, type Account, type HoldOpening, type Operation, type OrderChange } from "../../domain/ledger/operations.ts";

/** Gives each distinct value its place in a list, in the order they were first met; places count from 1, as Postgres counts. */
function createIndex<Value>() {
  const places = new Map<string, number>();
  const values: Value[] = [];
  return {
    values,
    place(key: string, value: () => Value): number {
      const known = places.get(key);
      if (known !== undefined) return known;
      values.push(value());
      places.set(key, values.length);
      return values.length;
    },
  };
}

/**
 * The five JSON texts that `ledger_post` takes: operations, postings, accounts and holds as columns, orders as rows. Operations and postings
 * refer to accounts, holds and orders by their place, counted from 1. An empty list is null. An operation of `seconds` is decided only
 * when the one before it is done.
 */
export function encodeBatch(operations: readonly Operation[], seconds: ReadonlySet<Operation> = new Set()): (string | null)[] {
  const accounts = createIndex<AccountOfBatch>();
  const holds = createIndex<{ id: string }>();
  const orders = createIndex<Record<string, unknown>>();
  const postings: Record<string, unknown>[] = [];
  const encoded = operations.map((operation, place) => {
    const { currency, orderChange: change } = operation;
    const { position, workflowId, runId, caller, correlationId } = operation.origin;
    const firstPosting = postings.length + 1;
    for (const { debit, credit, amountMinor, hold } of operation.postings) {
      const revenue = [debit, credit].find(({ kind }) => kind === "revenue");
      postings.push({
        debit: placeOfAccount(accounts, debit, currency),
        credit: placeOfAccount(accounts, credit, currency),
        amount: amountMinor === "remainder" ? undefined : amountMinor.toString(),
        hold: hold === undefined ? undefined : holds.place(hold.id, () => ({ id: hold.id })),
        effect: hold?.effect,
        serviceId: revenue?.owner,
        sign: revenue === undefined ? undefined : revenue === debit ? -1 : 1,
        ...(hold?.effect === "open" ? encodeOpening(operation, hold.id) : NO_OPENING),
      });
    }
    return {
      key: operation.key,
      hash: contentHash(operation),
      kind: operation.kind,
      currency,
      firstPosting,
      postingCount: operation.postings.length,
      userId: operation.userId,
      peerUserId: operation.peerUserId,
      serviceId: operation.serviceId,
      orderId: operation.orderId,
      holdId: operation.holdId,
      topic: position?.topic,
      partition: position?.partition,
      offset: position?.offset,
      workflowId,
      runId,
      caller,
      correlationId,
      comment: operation.comment,
      effectiveAt: operation.effectiveAt,
      order: change === undefined ? undefined : orders.place(change.orderId, () => encodeOrder(change)),
      orderFrom: change?.from,
      orderTo: change?.to,
      orderStatus: change?.status,
      after: seconds.has(operation) ? place : undefined,
    };
  });
  const columns = [encoded, postings, accounts.values, holds.values].map(columnsOf);
  return [...columns, orders.values].map((values) => (Object.keys(values).length === 0 ? null : JSON.stringify(values)));
}

/**
 * The columns of rows that all have the same names. A column without values is left out: most operations have a few of the many. JSON writes
 * null for what is undefined in a list.
 */
function columnsOf(rows: readonly object[]): Record<string, unknown[]> {
  const columns: Record<string, unknown[]> = {};
  for (const name of Object.keys(rows[0] ?? {})) {
    const values = (rows as readonly Readonly<Record<string, unknown>>[]).map((row) => row[name]);
    if (values.some((value) => value !== undefined)) columns[name] = values;
  }
  return columns;
}

interface AccountOfBatch extends Account {
  readonly currency: string;
}

function placeOfAccount(accounts: ReturnType<typeof createIndex<AccountOfBatch>>, { kind, owner }: Account, currency: string): number {
  return accounts.place(`${kind}\0${owner}\0${currency}`, () => ({ kind, owner, currency }));
}

function encodeOrder({ orderId, creates }: OrderChange): Record<string, unknown> {
  if (creates === undefined) return { id: orderId };
  const { requestHash: hash, totalMinor: total, paymentMethod: method, sagaInput: input, ...content } = creates;
  return { id: orderId, hash, total, method, input, ...content };
}

type EncodedOpening = Readonly<
  Record<"purpose" | "openServiceId" | "orderId" | "lineNo" | "requestHash" | "expiresAt", string | number | undefined>
>;

const NO_OPENING: EncodedOpening = {
  purpose: undefined,
  openServiceId: undefined,
  orderId: undefined,
  lineNo: undefined,
  requestHash: undefined,
  expiresAt: undefined,
};

// A hold's opening travels with its posting and not with the hold: two operations of a batch may try to open one hold, and the row
// must have the content of the operation that succeeds.
function encodeOpening(operation: Operation, holdId: string): EncodedOpening {
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
  };
}
