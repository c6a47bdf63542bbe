import type { OrderRecord } from "../../store/orders/orders.ts";

/** True when nothing will change the order any more. */
export function isClosed({ sagaState }: Pick<OrderRecord, "sagaState">): boolean {
  return sagaState === "COMPLETED" || sagaState === "FAILED";
}
