import { DomainError } from "../../base/errors.ts";
import type { OrderSagaInput } from "../../contract/orders.ts";
import type { Starters } from "../../starters/index.ts";
import { getOrder, type OrderRecord } from "../../store/orders/orders.ts";
import type { Db } from "../../store/postgres/database.ts";

/** An order's id and the hash of what was asked: two requests with both equal are the same request. */
export type OrderRequest = Pick<OrderSagaInput, "orderId" | "requestHash">;

/** Throws: IDEMPOTENCY_CONFLICT when the order's id was given to a request with other content. */
export function requireSameRequest(knownHash: string, { requestHash }: OrderRequest): void {
  if (knownHash !== requestHash) throw new DomainError("IDEMPOTENCY_CONFLICT");
}

/** The order of this request; undefined while its row is not written. Throws: IDEMPOTENCY_CONFLICT, UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findSameOrder(db: Db, request: OrderRequest): Promise<OrderRecord | undefined> {
  const order = await getOrder(db, request.orderId);
  if (order !== undefined) requireSameRequest(order.requestHash, request);
  return order;
}

/**
 * Makes sure that the saga that runs under the order's id is this request's: the workflow keeps the hash it was started with, and where
 * the server has forgotten the workflow the row has it.
 * Throws: IDEMPOTENCY_CONFLICT; UNAVAILABLE when neither can be read yet; DEADLINE_EXCEEDED.
 */
export async function requireSameSaga(
  deps: {
    readonly starters: Pick<Starters, "orderRequestHash">;
    /** The hash in the order's row; undefined while there is no row. */
    readonly knownRequestHash: (orderId: string) => Promise<string | undefined>;
  },
  request: OrderRequest,
): Promise<void> {
  const running = (await deps.starters.orderRequestHash(request.orderId)) ?? (await deps.knownRequestHash(request.orderId));
  if (running === undefined) throw new DomainError("UNAVAILABLE", "the order runs already and cannot be read yet");
  requireSameRequest(running, request);
}
