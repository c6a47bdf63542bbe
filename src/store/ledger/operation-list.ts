import { createBatcher } from "../../base/batching.ts";
import type { OperationKind } from "../../domain/ledger/operations.ts";
import type { Db } from "../postgres/database.ts";
import { firstPagesText, isPlannedOnce, operationListStatement, type OperationListInput } from "./operation-list-statement.ts";

/** An operation as one of its two users sees it. Amounts are minor units; `change` is signed, and `after` has the parts it changed. */
export interface ListedOperation {
  readonly operationId: string;
  readonly kind: OperationKind;
  /** The code it was refused with; undefined when it was done. */
  readonly refusalCode: string | undefined;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly availableChangeMinor: bigint;
  readonly heldChangeMinor: bigint;
  readonly availableAfterMinor: bigint | undefined;
  readonly heldAfterMinor: bigint | undefined;
  /** The user on the other side. */
  readonly peerUserId: string | undefined;
  readonly serviceId: string | undefined;
  readonly orderId: string | undefined;
  readonly holdId: string | undefined;
  readonly comment: string;
  readonly effectiveAt: Date;
  readonly recordedAt: Date;
}

/** Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export interface OperationLists {
  /**
   * One page of the operations that a user stands on either side of; one more than `limit` when there is a next page. By date it reads a
   * page of the index whatever the user's history; by amount it reads the history and keeps a page of it.
   */
  read(input: OperationListInput): Promise<ListedOperation[]>;
}

/** Lists of one statement at most: it takes 0.2 ms for each (two cores, 2026), for which the others of its moment wait. */
const MAX_BATCH = 16;

/**
 * First pages by date without filters, which most lists are, share one statement when they are asked for at the same moment: alone a list takes
 * almost twice the processor. At most `parallel` of each form are under way at a time; each begins after its callers asked. Any other list is a statement of its own.
 */
export function createOperationLists(db: Db, parallel = 2): OperationLists {
  const shared = new Map<string, (userId: string) => Promise<ListedOperation[]>>();
  const readShared = (text: string): ((userId: string) => Promise<ListedOperation[]>) => {
    const known = shared.get(text);
    if (known !== undefined) return known;
    const made = createBatcher({ maxBatch: MAX_BATCH, parallel, run: (userIds: readonly string[]) => readFirstPages(db, text, userIds) });
    shared.set(text, made);
    return made;
  };
  return {
    async read(input) {
      const rows =
        isPlannedOnce(input) && input.after === undefined
          ? await readShared(firstPagesText(input))(input.userId)
          : await readAlone(db, input);
      return rows.slice(0, input.limit + 1);
    },
  };
}

/** A list by a statement of its own. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function readAlone(db: Db, input: OperationListInput): Promise<ListedOperation[]> {
  const { text, parameters } = operationListStatement(input);
  return (await db.values(text, parameters, isPlannedOnce(input) ? "once" : "auto")).map(toListed);
}

async function readFirstPages(db: Db, text: string, userIds: readonly string[]): Promise<ListedOperation[][]> {
  const pages = userIds.map((): ListedOperation[] => []);
  for (const [place, ...row] of await db.values(text, [JSON.stringify(userIds)], "once")) pages[Number(place) - 1]?.push(toListed(row));
  return pages;
}

type Values = readonly [
  id: string,
  kind: OperationKind,
  refusalCode: string | null,
  currency: string,
  amountMinor: string,
  availableChange: string | null,
  heldChange: string | null,
  availableAfter: string | null,
  heldAfter: string | null,
  peer: string | null,
  serviceId: string | null,
  orderId: string | null,
  holdId: string | null,
  comment: string,
  effectiveAt: string,
  recordedAt: string,
];

function toListed(row: readonly unknown[]): ListedOperation {
  const [operationId, kind, refusalCode, currency, amountMinor, ...others] = row as Values;
  const [availableChange, heldChange, availableAfter, heldAfter, peer, serviceId, orderId, holdId, comment, effective, recorded] = others;
  const recordedAt = new Date(recorded);
  return {
    operationId,
    kind,
    refusalCode: refusalCode ?? undefined,
    currency,
    amountMinor: BigInt(amountMinor),
    availableChangeMinor: BigInt(availableChange ?? 0),
    heldChangeMinor: BigInt(heldChange ?? 0),
    availableAfterMinor: availableAfter === null ? undefined : BigInt(availableAfter),
    heldAfterMinor: heldAfter === null ? undefined : BigInt(heldAfter),
    peerUserId: peer ?? undefined,
    serviceId: serviceId ?? undefined,
    orderId: orderId ?? undefined,
    holdId: holdId ?? undefined,
    comment,
    effectiveAt: effective === recorded ? recordedAt : new Date(effective),
    recordedAt,
  };
}
