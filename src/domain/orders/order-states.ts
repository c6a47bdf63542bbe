import { DomainError } from "../../base/errors.ts";
import type { SagaState } from "../../contract/orders.ts";

/** Every legal move of an order's saga (S1-37). COMPLETED and FAILED are final; FAILED is reached only through COMPENSATING. */
const NEXT_STATES: Readonly<Record<SagaState, readonly SagaState[]>> = {
  STARTED: ["PAYMENT_PENDING", "COMPENSATING"],
  PAYMENT_PENDING: ["COMPLETED", "COMPENSATING"],
  COMPENSATING: ["FAILED"],
  COMPLETED: [],
  FAILED: [],
};

/** True when the saga may go from one state to the other. */
export function mayMove(from: SagaState, to: SagaState): boolean {
  return NEXT_STATES[from].includes(to);
}

/** The states from which the saga may come into this one. */
export function statesBefore(to: SagaState): SagaState[] {
  return (Object.keys(NEXT_STATES) as SagaState[]).filter((from) => mayMove(from, to));
}

/** True when no state follows. */
export function isFinal(state: SagaState): boolean {
  return NEXT_STATES[state].length === 0;
}

/** Throws: ORDER_STATE_CONFLICT when the move is not legal. */
export function assertMove(from: SagaState, to: SagaState): void {
  if (!mayMove(from, to)) throw new DomainError("ORDER_STATE_CONFLICT", `an order in state ${from} cannot become ${to}`);
}
