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
  bookSagaPayment(input: { readonly order: OrderSagaInput; readonly paymentId?: string }): Promise<void>;
  cancelOrder(input: { readonly orderId: string }): Promise<void>;
}

/**
 * Tells who waits in this process that an order has ended, except for one that is paid at once, which tells it itself, and writes a log line, with the order id and the correlation id of its request, by which operators search. A retry of the
 * last step writes the line again. The step waits for no read that only the log line needs, and fails for none.
 */
export function tellingOrderEnds<Activities extends LastSteps>(
  activities: Activities,
  { db, logger, tellOrderEnd = () => {} }: Pick<ActivityDeps, "db" | "logger" | "tellOrderEnd">,
): Activities {
  const log = (outcome: "COMPLETED" | "FAILED", orderId: string, correlationId: string | undefined, workflow = currentWorkflow()) =>
    logger.info({ event: "order.ended", orderId, correlationId, outcome, ...workflow }, "the order has ended");
  const complete = ({ orderId, correlationId }: OrderSagaInput) => {
    tellOrderEnd({ orderId, sagaState: "COMPLETED" });
    log("COMPLETED", orderId, correlationId);
  };
  return {
    ...activities,
    async createOrder(order: OrderToCreate) {
      const standing = await activities.createOrder(order);
      if (order.payAtOnce === true && standing.sagaState === "COMPLETED") log("COMPLETED", order.orderId, order.correlationId);
      return standing;
    },
    async captureOrder(order: OrderSagaInput) {
      await activities.captureOrder(order);
      complete(order);
    },
    async chargeOrder(input: { readonly order: OrderSagaInput }) {
      await activities.chargeOrder(input);
      complete(input.order);
    },
    async bookSagaPayment(input: { readonly order: OrderSagaInput; readonly paymentId?: string }) {
      await activities.bookSagaPayment(input);
      complete(input.order);
    },
    async cancelOrder(input: { readonly orderId: string }) {
      await activities.cancelOrder(input);
      tellOrderEnd({ orderId: input.orderId, sagaState: "FAILED" });
      const workflow = currentWorkflow();
      findOrderIdentity(db, input.orderId)
        .then((order) => log("FAILED", input.orderId, order?.correlationId, workflow))
        .catch((error: unknown) => logger.debug({ orderId: input.orderId, reason: messageOf(error) }, "an order's end was not told"));
    },
  };
}
