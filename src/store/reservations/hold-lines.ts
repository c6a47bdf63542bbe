import { and, asc, eq, gte, inArray, lt } from "drizzle-orm";
import { operations } from "../../../drizzle/schema/ledger.ts";
import { holds } from "../../../drizzle/schema/reservations.ts";
import { lineActPrefix } from "../../contract/ids.ts";
import type { Db } from "../postgres/database.ts";
import { rangeEnd } from "../postgres/key-range.ts";
import { toHoldRecord, type HoldRecord } from "./holds.ts";

/** The reservations of one order of a user; with a currency those in it alone. */
export interface OrderLines {
  readonly userId: string;
  readonly orderId: string;
  readonly currency?: string;
}

/** The clients' reservations of a user's order, oldest first, at most `limit`. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findLinesOf(
  db: Db,
  { userId, orderId, currency, limit }: OrderLines & { readonly limit: number },
): Promise<HoldRecord[]> {
  const rows = await db
    .select()
    .from(holds)
    .where(
      and(
        eq(holds.orderId, orderId),
        eq(holds.userId, userId),
        eq(holds.purpose, "reservation"),
        currency === undefined ? undefined : eq(holds.currency, currency),
      ),
    )
    .orderBy(asc(holds.createdAt), asc(holds.id))
    .limit(limit);
  return rows.map(toHoldRecord);
}

/** The holds with these ids, by id; those that are not there are left out. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getHolds(db: Db, holdIds: readonly string[]): Promise<ReadonlyMap<string, HoldRecord>> {
  const rows = await db
    .select()
    .from(holds)
    .where(inArray(holds.id, [...holdIds]));
  return new Map(rows.map((row) => [row.id, toHoldRecord(row)]));
}

/** What a request did to one of an order's reservations, or was refused to do. */
export interface LineAct {
  readonly key: string;
  readonly reservationId: string;
  readonly recordedAt: Date;
}

/** All that the request with this key did to single reservations of an order. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findLineActs(db: Db, requestKey: string): Promise<LineAct[]> {
  const prefix = lineActPrefix(requestKey);
  const rows = await db
    .select({ key: operations.key, reservationId: operations.holdId, recordedAt: operations.recordedAt })
    .from(operations)
    .where(and(gte(operations.key, prefix), lt(operations.key, rangeEnd(prefix))));
  return rows.map(({ key, reservationId, recordedAt }) => ({ key, reservationId: reservationId ?? "", recordedAt }));
}
