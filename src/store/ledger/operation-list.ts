import { sql, type SQL } from "drizzle-orm";
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

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly kind: OperationKind;
  readonly refusal_code: string | null;
  readonly currency: string;
  readonly amount_minor: string;
  readonly available_change: string | null;
  readonly held_change: string | null;
  readonly available_after: string | null;
  readonly held_after: string | null;
  readonly peer: string | null;
  readonly service_id: string | null;
  readonly order_id: string | null;
  readonly hold_id: string | null;
  readonly comment: string;
  readonly effective_at: string;
  readonly recorded_at: string;
}

/**
 * One page of the operations that a user stands on either side of; one more than `limit` when there is a next page. By date it reads a
 * page of the index whatever the user's history; by amount it reads the history and keeps a page of it.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function listOperations(db: Db, input: OperationListInput): Promise<ListedOperation[]> {
  const rows = await db.execute<Row>(operationListStatement(input));
  return rows.map(toListed);
}

/** The statement of `listOperations`, exported so that a test can read its plan. */
export function operationListStatement(input: OperationListInput): SQL {
  const { userId, sort, limit } = input;
  const direction = sort.startsWith("-") ? sql`desc` : sql`asc`;
  const order = sort.endsWith("date")
    ? sql`o.id ${direction}`
    : sql`o.currency ${direction}, o.amount_minor ${direction}, o.id ${direction}`;
  const rest = sql.join(conditions(input), sql` and `);
  const side = (column: SQL, other: SQL) => sql`(
        select o.id from operations o
         where ${whose(input, column)} and ${other} and ${rest}
         order by ${sort.endsWith("date") ? sql`${column} ${direction}, o.id ${direction}` : order} limit ${limit + 1}::integer)`;
  return sql`
    with own as materialized (select a.id, a.kind from accounts a where a.owner = ${userId} and a.kind in ('available', 'held')),
    found as materialized (
      ${side(sql`o.user_id`, sql`true`)}
      union all
      ${side(sql`o.peer_user_id`, sql`o.user_id <> ${userId}`)}
    ),
    page as materialized (
      select o.* from found f join operations o on o.id = f.id order by ${order} limit ${limit + 1}::integer
    )
    select o.id, o.kind, o.refusal_code, o.currency, o.amount_minor, c.available_change, c.held_change, c.available_after, c.held_after,
           case when o.user_id = ${userId} then o.peer_user_id else o.user_id end as peer,
           o.service_id, o.order_id, o.hold_id, o.comment, o.effective_at, o.recorded_at
      from page o
      cross join lateral (
        select sum(s.change) filter (where s.kind = 'available') as available_change,
               sum(s.change) filter (where s.kind = 'held') as held_change,
               (array_agg(s.balance order by s.version desc) filter (where s.kind = 'available'))[1] as available_after,
               (array_agg(s.balance order by s.version desc) filter (where s.kind = 'held'))[1] as held_after
          from (
            select own.kind, p.amount_minor as change, p.credit_balance_minor as balance, p.credit_version as version
              from postings p join own on own.id = p.credit_account where p.operation_id = o.id
            union all
            select own.kind, -p.amount_minor, p.debit_balance_minor, p.debit_version
              from postings p join own on own.id = p.debit_account where p.operation_id = o.id
          ) s
      ) c
     order by ${order}`;
}

function conditions({ currency, kind, from, to, serviceId, orderId, includeRefused }: OperationFilter): SQL[] {
  return [
    includeRefused ? sql`true` : sql`o.outcome = 'done'`,
    ...(currency === undefined ? [] : [sql`o.currency = ${currency}`]),
    ...(kind === undefined ? [] : [sql`o.kind = ${kind}`]),
    ...(from === undefined ? [] : [sql`o.recorded_at >= ${from}::timestamptz`]),
    ...(to === undefined ? [] : [sql`o.recorded_at < ${to}::timestamptz`]),
    ...(serviceId === undefined ? [] : [sql`o.service_id = ${serviceId}`]),
    ...(orderId === undefined ? [] : [sql`o.order_id = ${orderId}`]),
  ];
}

/**
 * The rows of one side after the start of the page. By date it is a range of the index on user and id and not an equality: for `user = x
 * order by id` the planner may walk the table's newest rows until it met enough of the user's, which for a user of long ago is all of them.
 */
function whose({ userId, sort, after }: OperationListInput, column: SQL): SQL {
  const [from, past] = sort.startsWith("-") ? [sql`>=`, sql`<`] : [sql`<=`, sql`>`];
  if (sort.endsWith("date")) {
    const start =
      after === undefined ? sql`${column} ${past}= ${userId}` : sql`(${column}, o.id) ${past} (${userId}, ${after.operationId}::bigint)`;
    return sql`${column} ${from} ${userId} and ${start}`;
  }
  if (after === undefined) return sql`${column} = ${userId}`;
  return sql`${column} = ${userId}
           and (o.currency, o.amount_minor, o.id) ${past} (${after.currency}, ${after.amountMinor}::bigint, ${after.operationId}::bigint)`;
}

function toListed(row: Row): ListedOperation {
  return {
    operationId: row.id,
    kind: row.kind,
    refusalCode: row.refusal_code ?? undefined,
    currency: row.currency,
    amountMinor: BigInt(row.amount_minor),
    availableChangeMinor: BigInt(row.available_change ?? 0),
    heldChangeMinor: BigInt(row.held_change ?? 0),
    availableAfterMinor: row.available_after === null ? undefined : BigInt(row.available_after),
    heldAfterMinor: row.held_after === null ? undefined : BigInt(row.held_after),
    peerUserId: row.peer ?? undefined,
    serviceId: row.service_id ?? undefined,
    orderId: row.order_id ?? undefined,
    holdId: row.hold_id ?? undefined,
    comment: row.comment,
    effectiveAt: new Date(row.effective_at),
    recordedAt: new Date(row.recorded_at),
  };
}
