import type { Config } from "../../src/config.ts";
import type { OrderSagaInput } from "../../src/contract/orders.ts";

/** The settings that every order is started with, over HTTP and over Kafka. */
export function orderSettings(config: Config) {
  return {
    paymentDeadlineMs: config.ORDER_PAYMENT_DEADLINE_MS,
    compensationFastRetries: config.COMPENSATION_FAST_RETRIES,
    ...(config.ORDER_PAYMENT === "saga-commands" ? { paidBy: "saga-commands" as const } : {}),
  } satisfies Pick<OrderSagaInput, "paymentDeadlineMs" | "compensationFastRetries" | "paidBy">;
}
