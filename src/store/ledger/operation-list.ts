import { createBatcher } from "../../base/batching.ts";
import { DomainError } from "../../base/errors.ts";
import type { OperationKind } from "../../domain/ledger/operations.ts";
import type { Db } from "../postgres/database.ts";

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

export const OPERATION_SORTS = ["date", "-date", "amount", "-amount"] as const;
/** By the order of recording, or by currency and then amount; a minus sign turns it round. */
export type OperationSort = (typeof OPERATION_SORTS)[number];

export interface OperationFilter {
  readonly currency?: string;
  readonly kind?: OperationKind;
  /** ISO 8601 in UTC, by the time of recording: at `from` or later, and before `to`. */
  readonly from?: string;
  readonly to?: string;
  readonly serviceId?: string;
  readonly orderId?: string;
  readonly includeRefused: boolean;
}

/** The last row of the page before. */
export interface OperationPlace {
  readonly currency: string;
  readonly amountMinor: string;
  readonly operationId: string;
}

export interface OperationListInput extends OperationFilter {
  readonly userId: string;
  readonly sort: OperationSort;
  readonly limit: number;
  readonly after?: OperationPlace;
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

export async function readAlone(db: Db, input: OperationListInput): Promise<ListedOperation[]> {
  const { text, parameters } = operationListStatement(input);
  return (await db.values(text, parameters, isPlannedOnce(input) ? "once" : "auto")).map(toListed);
}

async function readFirstPages(db: Db, text: string, userIds: readonly string[]): Promise<ListedOperation[][]> {
  const pages = userIds.map((): ListedOperation[] => []);
  for (const [place, ...row] of await db.values(text, [JSON.stringify(userIds)], "once")) pages[Number(place) - 1]?.push(toListed(row));
  return pages;
}

/** True for a list that is read along an index whoever's it is. How filters and the sort by amount are best read depends on their values. */
function isPlannedOnce({ sort, currency, kind, from, to, serviceId, orderId }: OperationListInput): boolean {
  return sort.endsWith("date") && [currency, kind, from, to, serviceId, orderId].every((value) => value === undefined);
}

/** How many rows a statement may ask for. The number stands in its text, so there are no more texts than these for each form of the list. */
const PAGE_SIZES = [10, 20, 50, 100];

const COLUMNS = `o.id, o.kind, o.refusal_code, o.currency, o.amount_minor, o.user_id, o.peer_user_id, o.service_id, o.order_id, o.hold_id,
               o.comment, o.effective_at, o.recorded_at`;

/**
 * The statement of one list, exported so that a test can read its plan. Its text is the same for all users, so that a connection
 * can plan it once: planning takes 3 ms of processor, the page 0.8 (51 rows, two cores, 2026). The limit stands in the text, as a plan for
 * any limit would be made for a tenth of the table.
 */
export function operationListStatement(input: OperationListInput): { readonly text: string; readonly parameters: readonly unknown[] } {
  const parameters: unknown[] = [input.userId];
  return { text: pageText(input, "$1", (value) => `$${parameters.push(value)}`), parameters };
}

/** The text of the statement that reads the first pages of many users, given as a JSON list. The first column is the user's place in it, from 1. */
export function firstPagesText(input: Omit<OperationListInput, "userId" | "after">): string {
  const page = pageText(input, "asked.user_id", () => {
    throw new DomainError("INTERNAL", "first pages without filters have no further parameter");
  });
  const direction = input.sort.startsWith("-") ? "desc" : "asc";
  return `
    select asked.place, page.* from json_array_elements_text($1::json) with ordinality as asked(user_id, place) cross join lateral (${page}) page
     order by asked.place, page.id ${direction}`;
}

type PageInput = Omit<OperationListInput, "userId">;

/** `user` is how the statement names the user's id, and `place` gives the name of a further value. */
function pageText(input: PageInput, user: string, place: Placeholder): string {
  const { sort, limit } = input;
  const direction = sort.startsWith("-") ? "desc" : "asc";
  const isByDate = sort.endsWith("date");
  const order = isByDate ? `o.id ${direction}` : `o.currency ${direction}, o.amount_minor ${direction}, o.id ${direction}`;
  const rows = `limit ${(PAGE_SIZES.find((size) => size >= limit) ?? limit) + 1}`;
  const rest = conditions(input, place);
  const start = startOf(input, user, place);
  const side = (column: string, other: string) => `
      (select ${COLUMNS} from operations o
        where ${[...start(column), other, ...rest].filter((condition) => condition !== "").join(" and ")}
        order by ${isByDate ? `${column} ${direction}, o.id ${direction}` : order} ${rows})`;
  return `
    with own as materialized (
      select a.currency, max(a.id) filter (where a.kind = 'available') as available, max(a.id) filter (where a.kind = 'held') as held
        from accounts a where a.owner = ${user} and a.kind in ('available', 'held') group by a.currency
    ),
    page as materialized (
      select * from (${side("o.user_id", "")}
      union all ${side("o.peer_user_id", `o.user_id <> ${user}`)}
      ) o order by ${order} ${rows}
    )
    select o.id, o.kind, o.refusal_code, o.currency, o.amount_minor, c.available_change, c.held_change, c.available_after[2], c.held_after[2],
           case when o.user_id = ${user} then o.peer_user_id else o.user_id end,
           o.service_id, o.order_id, o.hold_id, o.comment, o.effective_at, o.recorded_at
      from page o
      left join own on own.currency = o.currency
      cross join lateral (
        select ${["available", "held"].map(changeOf).join(", ")}
          from postings p where p.operation_id = o.id
      ) c
     order by ${order}`;
}

// A posting changes an account by one of its sides; both are looked at once, as each look costs a search of the index for every row.
function changeOf(kind: string): string {
  return `
               sum(case when p.credit_account = own.${kind} then p.amount_minor else 0 end
                 - case when p.debit_account = own.${kind} then p.amount_minor else 0 end) as ${kind}_change,
               max(greatest(case when p.credit_account = own.${kind} then array[p.credit_version, p.credit_balance_minor] end,
                            case when p.debit_account = own.${kind} then array[p.debit_version, p.debit_balance_minor] end)) as ${kind}_after`;
}

type Placeholder = (value: unknown) => string;

function conditions(filter: OperationFilter, place: Placeholder): string[] {
  const { currency, kind, from, to, serviceId, orderId, includeRefused } = filter;
  return [
    ...(includeRefused ? [] : ["o.outcome = 'done'"]),
    ...(currency === undefined ? [] : [`o.currency = ${place(currency)}`]),
    ...(kind === undefined ? [] : [`o.kind = ${place(kind)}`]),
    ...(from === undefined ? [] : [`o.recorded_at >= ${place(from)}::timestamptz`]),
    ...(to === undefined ? [] : [`o.recorded_at < ${place(to)}::timestamptz`]),
    ...(serviceId === undefined ? [] : [`o.service_id = ${place(serviceId)}`]),
    ...(orderId === undefined ? [] : [`o.order_id = ${place(orderId)}`]),
  ];
}

/**
 * The rows of one side after the start of the page. By date it is a range of the index on user and id and not an equality: for `user = x
 * order by id` the planner may walk the table's newest rows until it met enough of the user's, which for a user of long ago is all of them.
 */
function startOf({ sort, after }: PageInput, user: string, place: Placeholder): (column: string) => string[] {
  const [from, past] = sort.startsWith("-") ? [">=", "<"] : ["<=", ">"];
  const id = after === undefined ? "" : `${place(after.operationId)}::bigint`;
  if (sort.endsWith("date"))
    return (column) => [
      `${column} ${from} ${user}`,
      after === undefined ? `${column} ${past}= ${user}` : `(${column}, o.id) ${past} (${user}, ${id})`,
    ];
  const values = after === undefined ? "" : `(${place(after.currency)}, ${place(after.amountMinor)}::bigint, ${id})`;
  return (column) => [`${column} = ${user}`, ...(after === undefined ? [] : [`(o.currency, o.amount_minor, o.id) ${past} ${values}`])];
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
