import { DomainError } from "../src/base/errors.ts";
import type { OrderSagaInput } from "../src/contract/orders.ts";
import type { Concerned, PauseRecord } from "../src/store/operators/pauses.ts";

/** Throws: PAUSED when there is a pause. */
export function refuseWhilePaused(pause: PauseRecord | undefined): void {
  if (pause !== undefined) throw new DomainError("PAUSED", `paused: ${pause.reason}`);
}

/** Whom an order's payment concerns. */
export function concernedBy({ lines, userId }: OrderSagaInput): Concerned {
  return { serviceIds: lines.map(({ serviceId }) => serviceId), userId };
}
