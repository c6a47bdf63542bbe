import { eq } from "drizzle-orm";
import { orders } from "../../../drizzle/schema/orders.ts";
import type { SagaState } from "../../contract/orders.ts";
import type { Db } from "../postgres/database.ts";

/** The owner, the request and the price of an order, which tell its saga from any other. `amountMinor` is the whole order's. */
export interface OrderIdentity {
  readonly orderId: string;
  readonly userId: string;
  readonly requestHash: string;
  readonly sagaState: SagaState;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly correlationId: string;
}

/** The order's owner, request and price; undefined while it has no row. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findOrderIdentity(db: Db, orderId: string): Promise<OrderIdentity | undefined> {
  const [row] = await db
    .select({
      orderId: orders.id,
      userId: orders.userId,
      requestHash: orders.requestHash,
      sagaState: orders.sagaState,
      currency: orders.currency,
      amountMinor: orders.totalMinor,
      correlationId: orders.correlationId,
    })
    .from(orders)
    .where(eq(orders.id, orderId));
  return row === undefined ? undefined : { ...row, sagaState: row.sagaState as SagaState };
}
