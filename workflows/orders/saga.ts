import type { OrderSagaInput } from "../../src/contract/orders.ts";
import type { Compensations } from "./compensation.ts";
import type { SagaClock } from "./order-clock.ts";
import type { OrderProgress } from "./order-progress.ts";
import type { SagaWaits } from "./order-waits.ts";

/** A running order: its request, how it shows itself, its own time, and what is to be undone if the order fails. */
export interface Saga {
  readonly order: OrderSagaInput;
  readonly progress: OrderProgress;
  readonly compensations: Compensations;
  readonly clock: SagaClock;
  readonly waits: SagaWaits;
}
