import { CancellationScope, setCurrentDetails, setHandler } from "@temporalio/workflow";
import { inWords } from "../../src/base/money.ts";
import { RETRY_OR_SETTLE } from "../../src/contract/operator-acts.ts";
import { refundStatusQuery, refundStep, type OrderRefundInput, type OrderRefundOutcome } from "../../src/contract/refunds.ts";
import { compensationSteps, enduringProviderSteps } from "../activity-proxies.ts";
import { seeThrough, untilActed, withoutEnd, type StuckStep } from "../steps/endless.ts";
import { failureOf, isFinalRefusal } from "../steps/failures.ts";
import { createOperatorDesk, type OperatorDesk } from "../steps/operator-desk.ts";

/**
 * Gives back a part of a completed order's money; the API set the amount aside before. An order paid by card is refunded at the provider
 * first, then in the ledger. A refund cannot be cancelled. A final refusal of the provider ends it as `refused` and frees the amount for
 * another refund. While the provider does not answer the refund is stuck, and an operator may have it tried at once or settle it by hand.
 */
export function orderRefund(refund: OrderRefundInput): Promise<OrderRefundOutcome> {
  const desk = createOperatorDesk();
  setHandler(refundStatusQuery, () => ({ refundId: refund.refundId, ...desk.standing() }));
  return CancellationScope.nonCancellable(() => giveBack(refund, desk));
}

async function giveBack(refund: OrderRefundInput, desk: OperatorDesk): Promise<OrderRefundOutcome> {
  const { refundId, orderId } = refund;
  const amount = inWords(refund.amountMinor, refund.currency);
  const details = `Refund of **${amount}** of order **${orderId}**: ${refund.reason}`;
  setCurrentDetails(details);
  const where = { orderId, name: refundStep(refundId), desk };
  let reference: string | undefined;
  if (refund.paymentMethod === "card") {
    try {
      reference = await refundAtProvider(refund, where);
    } catch (error) {
      const { code } = failureOf(error);
      await withoutEnd((by) => by.refuseRefund({ refundId, failureCode: code }));
      return { refundId, status: "refused", failureCode: code };
    }
    setCurrentDetails(`${details}\n\nGiven back: ${reference}`);
  }
  await seeThrough(where, (by) => by.postRefund({ refund, ...(reference === undefined ? {} : { reference }) }));
  return { refundId, status: "done" };
}

/** The provider's reference, or `by hand:` and the operator who settled the refund. Throws: the provider's final refusal. */
async function refundAtProvider(refund: OrderRefundInput, where: StuckStep): Promise<string> {
  let failure: unknown;
  try {
    return (await compensationSteps({ remote: true, retries: refund.fastRetries }).refundAtProvider({ refund })).reference;
  } catch (error) {
    if (isFinalRefusal(error)) throw error;
    failure = error;
  }
  const end = await untilActed({ ...where, possibleActs: RETRY_OR_SETTLE }, failure, () =>
    enduringProviderSteps.refundAtProvider({ refund }),
  );
  return "result" in end ? end.result.reference : `by hand: ${end.act.actor}`;
}
