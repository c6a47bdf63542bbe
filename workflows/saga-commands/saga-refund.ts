import { CancellationScope, condition, log, setCurrentDetails, setHandler } from "@temporalio/workflow";
import { RETRY_OR_SETTLE } from "../../src/contract/operator-acts.ts";
import { COMPENSATION_SLOW_MS } from "../../src/contract/order-times.ts";
import { refundStatusQuery, refundStep, type OrderRefundOutcome } from "../../src/contract/refunds.ts";
import {
  paymentReplySignal,
  refundAskedSignal,
  SAGA_REFUND,
  type PaymentReply,
  type SagaPaymentRequest,
} from "../../src/contract/saga-commands.ts";
import { foreignWords } from "../../src/domain/cards/foreign-words.ts";
import { noteSteps } from "../activity-proxies.ts";
import { note, withoutEnd } from "../orders/compensation.ts";
import { createOperatorDesk, type OperatorDesk } from "../steps/operator-desk.ts";
import { paymentReplyIn } from "../untyped-input.ts";

/** Each rest is twice the one before, up to this: it may last for months. */
const SLOWEST_MS = 86_400_000;
const STEP = refundStep(SAGA_REFUND);

/**
 * Waits for the payment service's answer to the REFUND of an undone order, which was sent by whoever started this. One that is not
 * answered is sent again now and then; one that is refused only when an operator says so. Both are shown as stuck until the service
 * says yes or an operator settles it by hand. It cannot be cancelled.
 */
export function sagaRefund(payment: SagaPaymentRequest): Promise<OrderRefundOutcome> {
  const desk = createOperatorDesk();
  setHandler(refundStatusQuery, () => ({ refundId: SAGA_REFUND, ...desk.standing() }));
  return CancellationScope.nonCancellable(() => seeAnswered(payment, desk));
}

async function seeAnswered(payment: SagaPaymentRequest, desk: OperatorDesk): Promise<OrderRefundOutcome> {
  const { orderId, correlationId } = payment;
  const details = `REFUND of **${payment.amount} ${payment.currency}** of order **${orderId}**`;
  // True while the answer to a REFUND that was sent is owed.
  let isOwed = true;
  let answers: PaymentReply[] = [];
  let refusal: string | undefined;
  let isStuck = false;
  setHandler(paymentReplySignal, (given: unknown) => {
    const answer = paymentReplyIn(given);
    if (answer === undefined) log.warn("an answer of the payment service was left aside: it says neither SUCCEEDED nor FAILED");
    // A yes counts whenever it comes: the money is back.
    else if (answer.status === "SUCCEEDED") isOwed = false;
    else answers.push(answer);
  });
  // Sent once more for a late yes, it may be while the answer to the one before is taken in.
  setHandler(refundAskedSignal, () => {
    isOwed = true;
    answers = [];
    refusal = undefined;
  });
  const show = async (reason: string) => {
    if (!isStuck) log.error("the payment of an undone order is not back", { orderId, correlationId, reason });
    isStuck = true;
    setCurrentDetails(`${details}\n\n**Stuck:** ${reason}`);
    if (desk.standing().stuck === STEP) desk.explain(reason);
    else desk.stuck(STEP, reason, RETRY_OR_SETTLE);
    await note(() => noteSteps.noteStuck({ orderId, step: STEP, reason }));
  };
  // Not when a REFUND was sent once more in the meantime.
  const isDone = (how: string): boolean => {
    isStuck = false;
    setCurrentDetails(`${details}: ${isOwed ? "waits for the answer" : how}`);
    return !isOwed;
  };
  const askAgain = () => withoutEnd((by) => by.askForRefundAgain(payment));
  setCurrentDetails(`${details}: waits for the answer`);

  for (let restMs = COMPENSATION_SLOW_MS; ;) {
    await condition(() => !isOwed || answers.length > 0 || desk.hasAct(STEP), restMs);
    if (!isOwed) {
      if (isStuck) {
        desk.stuck(undefined);
        await withoutEnd((by) => by.noteStuck({ orderId, was: STEP, reason: "" }));
      }
      if (isDone("given back")) return { refundId: SAGA_REFUND, status: "done" };
      continue;
    }
    const act = desk.takeAct(STEP);
    if (act?.act === "settle") {
      isOwed = false;
      await withoutEnd((by) => by.settleByHand({ orderId, step: STEP, act: act.act, reason: act.reason, actor: act.actor }));
      desk.stuck(undefined);
      if (isDone(`settled by hand by ${act.actor}`)) return { refundId: SAGA_REFUND, status: "done" };
      continue;
    }
    if (act !== undefined) {
      [answers, refusal, restMs] = [[], undefined, COMPENSATION_SLOW_MS];
      await askAgain();
      await show("the payment service was asked again and has not answered yet");
      continue;
    }
    restMs = Math.min(restMs * 2, SLOWEST_MS);
    const refused = answers.at(-1);
    if (refused !== undefined) {
      answers = [];
      refusal = `the payment service refused to give the money back: ${foreignWords(refused.error ?? "it did not say why")}`;
      isStuck = false;
    } else if (refusal === undefined) await askAgain();
    // Also when nothing is new: the row has room for one step, and another one may have stood there the last time.
    await show(refusal ?? "the payment service has not answered; it is asked again now and then");
  }
}
