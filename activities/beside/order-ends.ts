import { messageOf } from "../../src/base/errors.ts";
import type { OrderSagaInput, OrderToCreate } from "../../src/contract/orders.ts";
import { findOrderIdentity } from "../../src/store/orders/order-identity.ts";
import type { OrderStanding } from "../../src/store/orders/orders.ts";
import type { ActivityDeps } from "../activity-deps.ts";
import { currentWorkflow } from "../execution.ts";

/** The steps that an order ends with. */
interface LastSteps {
  createOrder(order: OrderToCreate): Promise<OrderStanding>;
  captureOrder(order: OrderSagaInput): Promise<void>;
  chargeOrder(input: { readonly order: OrderSagaInput }): Promise<void>;
  cancelOrder(input: { readonly orderId: string }): Promise<void>;
}

/**
 * Writes a log line when an order ends, with the order id and the correlation id of its request, by which operators search. A retry of the
 * last step writes the line again. The step waits for no read that only the log line needs, and fails for none.
 */
export function tellingOrderEnds<Activities extends LastSteps>(
  activities: Activities,
  { db, logger }: Pick<ActivityDeps, "db" | "logger">,
): Activities {
  const tell = (outcome: "COMPLETED" | "FAILED", orderId: string, correlationId: string | undefined, workflow = currentWorkflow()) =>
    logger.info({ event: "order.ended", orderId, correlationId, outcome, ...workflow }, "the order has ended");
  return {
    ...activities,
    async createOrder(order: OrderToCreate) {
      const standing = await activities.createOrder(order);
      if (order.payAtOnce === true && standing.sagaState === "COMPLETED") tell("COMPLETED", order.orderId, order.correlationId);
      return standing;
    },
    async captureOrder(order: OrderSagaInput) {
      await activities.captureOrder(order);
      tell("COMPLETED", order.orderId, order.correlationId);
    },
    async chargeOrder(input: { readonly order: OrderSagaInput }) {
      await activities.chargeOrder(input);
      tell("COMPLETED", input.order.orderId, input.order.correlationId);
    },
    async cancelOrder(input: { readonly orderId: string }) {
      await activities.cancelOrder(input);
      const workflow = currentWorkflow();
      findOrderIdentity(db, input.orderId)
        .then((order) => tell("FAILED", input.orderId, order?.correlationId, workflow))
        .catch((error: unknown) => logger.debug({ orderId: input.orderId, reason: messageOf(error) }, "an order's end was not told"));
    },
  };
}
