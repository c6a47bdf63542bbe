import { DomainError } from "../src/base/errors.ts";
import { orderRefundWorkflowId, paymentKey, refundKey, stepKey } from "../src/contract/ids.ts";
import type { OrderRefundInput } from "../src/contract/refunds.ts";
import { refundOrderOperation } from "../src/domain/ledger/hold-operations.ts";
import { doneOrThrow } from "../src/store/ledger/done-or-throw.ts";
import { finishRefund, refuseRefund } from "../src/store/orders/refunds.ts";
import type { ActivityDeps } from "./activity-deps.ts";
import { currentOrigin } from "./execution.ts";
import type { Approval } from "./payments.ts";

/** The steps of a refund of an order's lines. Each is safe to retry: its key is made of the order and the refund, never of the attempt. */
export function createRefundActivities({ db, ledger, psp }: Pick<ActivityDeps, "db" | "ledger" | "psp">) {
  return {
    /** Refunds a part of a captured payment at the provider. Throws: PSP_UNAVAILABLE while its answer is unknown, PAYMENT_DECLINED when it is no. */
    async refundAtProvider({ refund }: { readonly refund: OrderRefundInput }): Promise<Approval> {
      const outcome = await psp.refund({
        key: refundKey(refund.orderId, refund.refundId),
        orderId: refund.orderId,
        amountMinor: BigInt(refund.amountMinor),
        currency: refund.currency,
        captureKey: paymentKey(refund.orderId, "capture"),
      });
      if (outcome.status === "declined") throw new DomainError("PAYMENT_DECLINED", `the refund was declined: ${outcome.reason}`);
      return { reference: outcome.reference };
    },

    /** Posts a refund: from the services' revenue to the user's wallet or to the provider's account. `reference` is the provider's id of it. */
    async postRefund({ refund, reference }: { readonly refund: OrderRefundInput; readonly reference?: string }): Promise<void> {
      const key = stepKey(orderRefundWorkflowId(refund.orderId, refund.refundId), "refund");
      doneOrThrow(await ledger.post(refundOrderOperation({ ...refund, key, comment: refund.reason, origin: currentOrigin(refund) })));
      await finishRefund(db, { refundId: refund.refundId, reference });
    },

    /** Ends a refund that the provider refuses: its amount may be refunded by another one. */
    refuseRefund: (input: { readonly refundId: string; readonly failureCode: string }): Promise<void> => refuseRefund(db, input),
  };
}
