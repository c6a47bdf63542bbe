import { CancellationScope, setCurrentDetails, setHandler } from "@temporalio/workflow";
import { inWords } from "../../src/base/money.ts";
import { RETRY_OR_SETTLE } from "../../src/contract/operator-acts.ts";
import { refundStatusQuery, refundStep, type OrderRefundInput, type OrderRefundOutcome } from "../../src/contract/refunds.ts";
import { compensationSteps, enduringProviderSteps } from "../activity-proxies.ts";
import { createOperatorDesk, type OperatorDesk } from "../steps/operator-desk.ts";
import { failureOf, isFinalRefusal, seeThrough, untilActed, withoutEnd } from "./compensation.ts";

/**
 * Gives back a part of a completed order's money, whose amount was set aside before: at the provider first when a card paid, then in the
 * ledger. It cannot be cancelled. A provider that refuses for good ends it as refused, and the amount is there for another refund. While
 * the provider does not answer it is stuck, and an operator may have it tried at once or settle it by hand.
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

/** The provider's reference, or who gave the money back by hand. Throws: the provider's refusal. */
async function refundAtProvider(
  refund: OrderRefundInput,
  where: { readonly orderId: string; readonly name: string; readonly desk: OperatorDesk },
): Promise<string> {
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
