import { CancellationScope, setCurrentDetails } from "@temporalio/workflow";
import type { OrderRefundInput, OrderRefundOutcome } from "../src/contract/orders.ts";
import { formatAmount } from "../src/money.ts";
import { patientProviderSteps } from "./activity-proxies.ts";
import { failureOf, withoutEnd } from "./compensation.ts";

/**
 * Gives back a part of a completed order's money, whose amount was set aside before: at the provider first when a card paid, then in the
 * ledger. It cannot be cancelled. A provider that refuses for good ends it as refused, and the amount is there for another refund.
 */
export function orderRefund(refund: OrderRefundInput): Promise<OrderRefundOutcome> {
  return CancellationScope.nonCancellable(() => giveBack(refund));
}

async function giveBack(refund: OrderRefundInput): Promise<OrderRefundOutcome> {
  const { refundId, orderId } = refund;
  const amount = `${formatAmount(BigInt(refund.amountMinor), refund.currency)} ${refund.currency}`;
  setCurrentDetails(`Refund of **${amount}** of order **${orderId}**: ${refund.reason}`);
  let reference: string | undefined;
  if (refund.paymentMethod === "card") {
    try {
      ({ reference } = await patientProviderSteps.refundAtProvider({ refund }));
    } catch (error) {
      const { code } = failureOf(error);
      await withoutEnd((by) => by.refuseRefund({ refundId, failureCode: code }));
      return { refundId, status: "refused", failureCode: code };
    }
  }
  await withoutEnd((by) => by.postRefund({ refund, ...(reference === undefined ? {} : { reference }) }));
  return { refundId, status: "done" };
}
