import { eq } from "drizzle-orm";
import { operations } from "../../../drizzle/schema/ledger.ts";
import { holds } from "../../../drizzle/schema/reservations.ts";
import type { HoldStatus } from "../../contract/reservations.ts";
import type { Db } from "../postgres/database.ts";

/** A hold as it stands in Postgres: a client's reservation or a line of an order. */
export interface HoldRecord {
  readonly holdId: string;
  readonly purpose: "reservation" | "order";
  readonly status: HoldStatus;
  readonly userId: string;
  readonly serviceId: string;
  readonly orderId: string;
  readonly lineNo: number;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly capturedMinor: bigint;
  readonly releasedMinor: bigint;
  readonly workflowId: string;
  readonly requestHash: string;
  readonly comment: string;
  readonly expiresAt: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The hold, or undefined when there is none. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getHold(db: Db, holdId: string): Promise<HoldRecord | undefined> {
  const [row] = await db.select().from(holds).where(eq(holds.id, holdId));
  return row === undefined ? undefined : toHoldRecord(row);
}

/** A row as a record. */
export function toHoldRecord({ id, toldEnd: _toldEnd, ...row }: typeof holds.$inferSelect): HoldRecord {
  return { ...row, holdId: id, purpose: row.purpose as HoldRecord["purpose"], status: row.status as HoldStatus };
}

/** The hold that the operation with this key was about, or undefined when there is no such operation. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findHoldByOperation(db: Db, key: string): Promise<HoldRecord | undefined> {
  const [row] = await db
    .select({ hold: holds })
    .from(operations)
    .innerJoin(holds, eq(holds.id, operations.holdId))
    .where(eq(operations.key, key));
  return row === undefined ? undefined : toHoldRecord(row.hold);
}
