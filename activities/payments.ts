import { ApplicationFailure } from "@temporalio/common";
import { DomainError } from "../src/base/errors.ts";
import { orderRefundWorkflowId, paymentKey, stepKey } from "../src/contract/ids.ts";
import type { OrderRefundInput, OrderSagaInput } from "../src/contract/orders.ts";
import { chargeOrderOperation, refundOrderOperation } from "../src/domain/ledger/hold-operations.ts";
import { doneOrThrow } from "../src/store/ledger/done-or-throw.ts";
import { createPauseCheck, pausedFor, type Concerned } from "../src/store/operators/pauses.ts";
import { recordPaymentStep } from "../src/store/orders/payments.ts";
import { finishRefund, refuseRefund } from "../src/store/orders/refunds.ts";
import type { ActivityDeps } from "./activity-deps.ts";
import type { RefreshOrderCache } from "./beside/order-cache.ts";
import { currentOrigin, currentWorkflow } from "./execution.ts";
import { concernedBy, refuseWhilePaused } from "./pausing.ts";

/** Asked again this often while a pause lasts. */
const PAUSE_POLL = "1 second";

/**
 * The payments of orders by card, and refunds. Each is safe to retry: its key at the provider is the order's and the step's, never the
 * attempt's, and the provider does a key once.
 * Throws: PSP_UNAVAILABLE while the provider's answer cannot be had, PAYMENT_DECLINED when it is no.
 */
export function createPaymentActivities({
  db,
  ledger,
  psp,
  refreshOrderCache = () => {},
}: Pick<ActivityDeps, "db" | "ledger" | "psp"> & { readonly refreshOrderCache?: RefreshOrderCache }) {
  const pauseFor = createPauseCheck(db);

  /** Gives a capture back that did happen; does nothing when the provider never took any money. */
  const refundCapture = async (order: OrderSagaInput): Promise<boolean> => {
    const captureKey = paymentKey(order.orderId, "capture");
    const captured = await psp.lookUp(captureKey);
    if (captured?.status !== "approved") return false;
    const outcome = await psp.refund({ ...stepOf(order, "refund"), captureKey });
    if (outcome.status === "declined") throw new DomainError("PAYMENT_DECLINED", `the refund was declined: ${outcome.reason}`);
    await recordPaymentStep(db, order.orderId, { step: "refunded", reference: outcome.reference });
    return true;
  };

  /** A capture that came meanwhile, so that there is nothing to cancel any more, is given back instead. */
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

    /** Takes the money that was set aside. Throws: PAUSED before anything is asked of the provider. */
    async captureCard({ order }: { readonly order: OrderSagaInput }): Promise<Approval> {
      refuseWhilePaused(await pauseFor(concernedBy(order)));
      const outcome = await psp.capture({ ...stepOf(order, "capture"), authorisationKey: paymentKey(order.orderId, "authorise") });
      if (outcome.status === "declined") throw new DomainError("PAYMENT_DECLINED", `the capture was declined: ${outcome.reason}`);
      const { reference } = outcome;
      await recordPaymentStep(db, order.orderId, { step: "captured", amountMinor: BigInt(order.totalMinor), reference });
      return { reference };
    },

    /** Undoes the capture; where there was none it undoes the authorisation, so that none can come any more. */
    async refundCard({ order }: { readonly order: OrderSagaInput }): Promise<void> {
      if (!(await refundCapture(order))) await cancelAuthorisation(order);
    },

    /** Undoes the authorisation, also one that arrives only later. */
    cancelCardAuthorisation: ({ order }: { readonly order: OrderSagaInput }): Promise<void> => cancelAuthorisation(order),

    /** Books what the provider has taken, and the order is COMPLETED and CONFIRMED in the same statement. Throws: ORDER_STATE_CONFLICT. */
    async chargeOrder({ order }: { readonly order: OrderSagaInput }): Promise<void> {
      const orderChange = { orderId: order.orderId, from: "PAYMENT_PENDING", to: "COMPLETED", status: "CONFIRMED" } as const;
      doneOrThrow(
        await ledger.post(
          chargeOrderOperation({
            ...order,
            key: stepKey(currentWorkflow().workflowId, "charge"),
            origin: currentOrigin(order),
            orderChange,
          }),
        ),
      );
      refreshOrderCache(order.orderId);
    },

    /** Gives a part of a captured payment back at the provider. */
    async refundAtProvider({ refund }: { readonly refund: OrderRefundInput }): Promise<Approval> {
      const outcome = await psp.refund({
        key: `${paymentKey(refund.orderId, "refund")}:${refund.refundId}`,
        orderId: refund.orderId,
        amountMinor: BigInt(refund.amountMinor),
        currency: refund.currency,
        captureKey: paymentKey(refund.orderId, "capture"),
      });
      if (outcome.status === "declined") throw new DomainError("PAYMENT_DECLINED", `the refund was declined: ${outcome.reason}`);
      return { reference: outcome.reference };
    },

    /** Books a refund: the services' revenue goes down, the user's wallet or the provider's account gets it. */
    async postRefund({ refund, reference }: { readonly refund: OrderRefundInput; readonly reference?: string }): Promise<void> {
      const key = stepKey(orderRefundWorkflowId(refund.orderId, refund.refundId), "refund");
      doneOrThrow(await ledger.post(refundOrderOperation({ ...refund, key, comment: refund.reason, origin: currentOrigin(refund) })));
      await finishRefund(db, { refundId: refund.refundId, reference });
    },

    /** Ends a refund that the provider refuses: what was set aside for it is there for another. */
    refuseRefund: (input: { readonly refundId: string; readonly failureCode: string }): Promise<void> => refuseRefund(db, input),

    /** The pause that concerns these services or this user, in words; null when there is none. */
    async pausedFor(concerned: Concerned): Promise<string | null> {
      return (await pausedFor(db, concerned))?.reason ?? null;
    },

    /** Passes when no pause concerns these services or this user any more; until then it fails and is to be asked again. */
    async untilUnpaused(concerned: Concerned): Promise<void> {
      const pause = await pausedFor(db, concerned);
      if (pause === undefined) return;
      throw ApplicationFailure.create({ type: "PAUSED", message: `paused: ${pause.reason}`, nextRetryDelay: PAUSE_POLL });
    },
  };
}

/** The provider's word that a step was done. */
interface Approval {
  readonly reference: string;
}

function stepOf({ orderId, totalMinor, currency }: OrderSagaInput, step: Parameters<typeof paymentKey>[1]) {
  return { key: paymentKey(orderId, step), orderId, amountMinor: BigInt(totalMinor), currency };
}
