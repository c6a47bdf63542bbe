import { DomainError } from "../src/base/errors.ts";
import { paymentKey } from "../src/contract/ids.ts";
import type { OrderSagaInput } from "../src/contract/orders.ts";
import { doneOrThrow } from "../src/store/ledger/done-or-throw.ts";
import { createPauseCheck } from "../src/store/operators/pauses.ts";
import { recordPaymentStep } from "../src/store/orders/payments.ts";
import type { ActivityDeps } from "./activity-deps.ts";
import type { RefreshOrderCache } from "./beside/order-cache.ts";
import { currentWorkflow } from "./execution.ts";
import { chargeOperation } from "./orders/order-operations.ts";
import { concernedBy, refuseWhilePaused } from "./pausing.ts";

/** The provider's confirmation of a step. `reference` is the provider's own id of it. */
export interface Approval {
  readonly reference: string;
}

/**
 * The payments of orders by card. Each is safe to retry: its key at the provider is made of the order and the step, never of the attempt,
 * and the provider executes a key once.
 * Throws: PSP_UNAVAILABLE while the provider's answer is unknown, PAYMENT_DECLINED when it is no.
 */
export function createPaymentActivities({
  db,
  ledger,
  psp,
  refreshOrderCache = () => {},
}: Pick<ActivityDeps, "db" | "ledger" | "psp"> & { readonly refreshOrderCache?: RefreshOrderCache }) {
  const pauseFor = createPauseCheck(db);

  /** Refunds the order's capture, and returns whether there was one: false when the provider never took any money. */
  const refundCapture = async (order: OrderSagaInput): Promise<boolean> => {
    const captureKey = paymentKey(order.orderId, "capture");
    const captured = await psp.lookUp(captureKey);
    if (captured?.status !== "approved") return false;
    const outcome = await psp.refund({ ...stepOf(order, "refund"), captureKey });
    if (outcome.status === "declined") throw new DomainError("PAYMENT_DECLINED", `the refund was declined: ${outcome.reason}`);
    await recordPaymentStep(db, order.orderId, { step: "refunded", reference: outcome.reference });
    return true;
  };

  /** Cancels the authorisation. Where a capture came first, which the provider then declines to cancel, it refunds the capture. */
  const cancelAuthorisation = async (order: OrderSagaInput): Promise<void> => {
    const outcome = await psp.cancel({ ...stepOf(order, "cancel"), authorisationKey: paymentKey(order.orderId, "authorise") });
    if (outcome.status === "declined" && (await refundCapture(order))) return;
    await recordPaymentStep(db, order.orderId, { step: "cancelled" });
  };

  return {
    /** Asks the card's bank to set the money aside. */
    async authoriseCard({ order, cardToken }: { readonly order: OrderSagaInput; readonly cardToken: string }): Promise<Approval> {
      const outcome = await psp.authorise({ ...stepOf(order, "authorise"), cardToken });
      if (outcome.status === "declined") {
        await recordPaymentStep(db, order.orderId, { step: "declined" });
        throw new DomainError("PAYMENT_DECLINED", `the card was declined: ${outcome.reason}`);
      }
      const { reference } = outcome;
      await recordPaymentStep(db, order.orderId, { step: "authorised", amountMinor: BigInt(order.totalMinor), reference });
      return { reference };
    },

    /** Takes the money that was set aside. Throws: PAUSED, before the provider is asked for anything. */
    async captureCard({ order }: { readonly order: OrderSagaInput }): Promise<Approval> {
      refuseWhilePaused(await pauseFor(concernedBy(order)));
      const outcome = await psp.capture({ ...stepOf(order, "capture"), authorisationKey: paymentKey(order.orderId, "authorise") });
      if (outcome.status === "declined") throw new DomainError("PAYMENT_DECLINED", `the capture was declined: ${outcome.reason}`);
      const { reference } = outcome;
      await recordPaymentStep(db, order.orderId, { step: "captured", amountMinor: BigInt(order.totalMinor), reference });
      return { reference };
    },

    /** Refunds the capture. Without a capture it cancels the authorisation, so that no capture can follow. */
    async refundCard({ order }: { readonly order: OrderSagaInput }): Promise<void> {
      if (!(await refundCapture(order))) await cancelAuthorisation(order);
    },

    /** Cancels the authorisation, also one that reaches the provider only later. */
    cancelCardAuthorisation: ({ order }: { readonly order: OrderSagaInput }): Promise<void> => cancelAuthorisation(order),

    /** Posts the captured amount as revenue, and the order is COMPLETED and CONFIRMED in the same statement. Throws: ORDER_STATE_CONFLICT. */
    async chargeOrder({ order }: { readonly order: OrderSagaInput }): Promise<void> {
      doneOrThrow(await ledger.post(chargeOperation(order, currentWorkflow())));
      refreshOrderCache(order.orderId);
    },
  };
}

function stepOf({ orderId, totalMinor, currency }: OrderSagaInput, step: Parameters<typeof paymentKey>[1]) {
  return { key: paymentKey(orderId, step), orderId, amountMinor: BigInt(totalMinor), currency };
}
