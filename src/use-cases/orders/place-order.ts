import type { Psp } from "../../adapters/psp/psp.ts";
import { withinOrNothing } from "../../base/deadline.ts";
import { DomainError, isErrorCode } from "../../base/errors.ts";
import type { OrderOutcome, OrderSagaInput } from "../../contract/orders.ts";
import type { Starters } from "../../starters/index.ts";
import { findOrderIdentity } from "../../store/orders/order-identity.ts";
import type { OrderStamps } from "../../store/orders/order-stamps.ts";
import { createOrder, orderPaidAtOnce, type OrderRecord } from "../../store/orders/orders.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { AskedOrder } from "./asked-order.ts";
import { isClosed } from "./closed.ts";
import { keepCard } from "./keep-card.ts";
import { findSameOrder, requireSameSaga } from "./same-order.ts";

/** How long the answer that an order was accepted waits for the order's row; without Postgres the workflow writes it later. */
const WRITE_DEADLINE_MS = 1_000;

export interface PlaceOrderDeps {
  readonly db: Db;
  /** Without one every card is answered with PSP_UNAVAILABLE. */
  readonly psp?: Psp;
  readonly starters: Pick<Starters, "startOrder" | "orderRequestHash">;
  /** Tells of many orders at once which of them have a row; without it the order itself is read. */
  readonly orderStamps?: OrderStamps;
  /** Runs the start of an order that is new, where its services have to be sold meanwhile. */
  readonly whileSold?: <Result>(start: () => Promise<Result>) => Promise<Result>;
}

/** How an order stands after it was asked for. `replayed` is true when it was asked for before. */
export type PlacedOrder = { readonly replayed: boolean } & (
  | { readonly decided: true; readonly order: OrderRecord }
  /** Its outcome was not known in time; `order` is its row as far as it is written. */
  | { readonly decided: false; readonly order: OrderRecord | undefined }
);

/**
 * Has a saga see the order through and waits for its outcome, at most `waitMs`: whatever dies meanwhile, what was taken is booked or given
 * back. The card goes to the provider's vault, its token to the saga.
 * Safe to retry: the order's id is the request's.
 * Throws: IDEMPOTENCY_CONFLICT when the id stands for another request; what `whileSold` and the vault refuse (UNKNOWN_SERVICE, INVALID_CARD,
 * PSP_UNAVAILABLE); the saga's failure when it ended before it could write a row; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function placeOrder(deps: PlaceOrderDeps, { input, card }: AskedOrder, waitMs: number): Promise<PlacedOrder> {
  const { db, psp, starters, whileSold } = deps;
  // Nearly every order is new: whether it has a row is asked for many at once, and only a row that is there is read.
  const isNew = deps.orderStamps !== undefined && (await deps.orderStamps.read(input.orderId)) === undefined;
  const before = isNew ? undefined : await findSameOrder(db, input);
  if (before !== undefined && isClosed(before)) return { replayed: true, decided: true, order: before };

  const start = async () => {
    const order: OrderSagaInput = card === undefined ? input : { ...input, card: await keepCard(psp, card) };
    const begun = await starters.startOrder(order);
    if (waitMs === 0) begun.forget?.();
    return { started: order, begun, outcome: waitMs === 0 ? undefined : await begun.outcome(waitMs) };
  };
  const { started, begun, outcome } = before === undefined && whileSold !== undefined ? await whileSold(start) : await start();
  if (outcome?.failureCode === "IDEMPOTENCY_CONFLICT") throw refusalOf(outcome);
  const replayed = before !== undefined || begun.alreadyStarted;
  if (!replayed && outcome?.paidAt !== undefined)
    return { replayed, decided: true, order: orderPaidAtOnce({ ...started, workflowId: begun.workflowId }, outcome.paidAt) };
  // An order that was started just now and is not decided is accepted, whatever becomes of Postgres meanwhile.
  const order = outcome !== undefined || replayed ? await findSameOrder(db, input) : undefined;
  if (order !== undefined && (outcome !== undefined || isClosed(order))) return { replayed, decided: true, order };
  if (outcome !== undefined) throw refusalOf(outcome);
  if (begun.alreadyStarted && order === undefined) {
    const knownRequestHash = async (orderId: string) => (await findOrderIdentity(db, orderId))?.requestHash;
    await requireSameSaga({ starters, knownRequestHash }, input);
  }
  // Whoever reads "accepted" asks for the order at once: its row must not wait for a worker. A repeat may differ from the first request in
  // words that are no content, so only the first one writes.
  if (!replayed) await withinOrNothing(createOrder(db, { ...started, workflowId: begun.workflowId }), WRITE_DEADLINE_MS);
  return { replayed, decided: false, order };
}

function refusalOf({ failureCode, failureMessage }: OrderOutcome): DomainError {
  return new DomainError(isErrorCode(failureCode) ? failureCode : "INTERNAL", failureMessage);
}
