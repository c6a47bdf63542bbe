import type { OrderSagaInput } from "../../contract/orders.ts";
import type { CheckedCard } from "../../domain/cards/card.ts";

/** An order as it was asked for. A card is still beside it: what starts the workflow gets its token only. */
export interface AskedOrder {
  readonly input: Omit<OrderSagaInput, "card">;
  readonly card: CheckedCard | undefined;
}
