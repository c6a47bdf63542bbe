import { and, desc, eq, sql } from "drizzle-orm";
import { holds } from "../../../drizzle/schema/reservations.ts";
import type { HoldStatus } from "../../contract/reservations.ts";
import type { Db } from "../postgres/database.ts";
import { isAfter, type Page, type PageStart } from "../postgres/page.ts";
import { toHoldRecord, type HoldRecord } from "./holds.ts";

export interface ListedHold {
  readonly hold: HoldRecord;
  readonly place: PageStart;
}

export interface HoldFilter {
  readonly userId?: string;
  readonly orderId?: string;
  readonly status?: HoldStatus;
}

/** One page of the clients' reservations, newest first; one more than `limit` when there is a next page. Holds of orders are not among them. */
export async function listReservationHolds(db: Db, input: HoldFilter & Page): Promise<ListedHold[]> {
  const rows = await db
    .select({ hold: holds, createdAtText: sql<string>`${holds.createdAt}::text` })
    .from(holds)
    .where(
      and(
        eq(holds.purpose, "reservation"),
        input.userId === undefined ? undefined : eq(holds.userId, input.userId),
        input.orderId === undefined ? undefined : eq(holds.orderId, input.orderId),
        input.status === undefined ? undefined : eq(holds.status, input.status),
        isAfter(holds, input.after),
      ),
    )
    .orderBy(desc(holds.createdAt), desc(holds.id))
    .limit(input.limit + 1);
  return rows.map(({ hold, createdAtText }) => ({ hold: toHoldRecord(hold), place: { createdAt: createdAtText, id: hold.id } }));
}
