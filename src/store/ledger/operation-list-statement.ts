import { DomainError } from "../../base/errors.ts";
import type { OperationKind } from "../../domain/ledger/operations.ts";

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

/** True for a list that is read along an index whoever's it is. How filters and the sort by amount are best read depends on their values. */
export function isPlannedOnce({ sort, currency, kind, from, to, serviceId, orderId }: OperationListInput): boolean {
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
