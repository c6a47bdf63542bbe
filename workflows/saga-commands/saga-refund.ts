import {
  CancellationScope,
  condition,
  continueAsNew,
  log,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from "@temporalio/workflow";
import { RETRY_OR_SETTLE } from "../../src/contract/operator-acts.ts";
import { COMPENSATION_SLOW_MS } from "../../src/contract/order-times.ts";
import { refundStatusQuery, refundStep, type OrderRefundOutcome } from "../../src/contract/refunds.ts";
import {
  paymentReplySignal,
  refundAskedSignal,
  SAGA_REFUND,
  type PaymentReply,
  type SagaPaymentRequest,
  type SagaRefundCarried,
} from "../../src/contract/saga-commands.ts";
import { foreignWords } from "../../src/domain/cards/foreign-words.ts";
import { noteSteps } from "../activity-proxies.ts";
import { note, withoutEnd } from "../steps/endless.ts";
import { createOperatorDesk, type OperatorDesk } from "../steps/operator-desk.ts";
import { paymentReplyIn } from "../untyped-input.ts";

/** The longest rest between two REFUNDs, a day: each rest is twice the one before, and a payment service may stay silent for months. */
const SLOWEST_MS = 86_400_000;
const STEP = refundStep(SAGA_REFUND);

/**
 * Waits for the payment service's reply to the REFUND of an undone order, which was sent before this workflow starts. A REFUND without a
 * reply is sent again at growing intervals; a refused REFUND is sent again only when an operator says so. Either is shown as stuck until
 * the service replies SUCCEEDED or an operator settles the refund by hand. The workflow cannot be cancelled. It may wait for months while
 * the service repeats its refusals: when the server advises it, a new run goes on with what this run hands over.
 */
export function sagaRefund(payment: SagaPaymentRequest, carried?: SagaRefundCarried): Promise<OrderRefundOutcome> {
  const desk = createOperatorDesk();
  setHandler(refundStatusQuery, () => ({ refundId: SAGA_REFUND, ...desk.standing() }));
  return CancellationScope.nonCancellable(() => seeAnswered(payment, desk, carried));
}

async function seeAnswered(
  payment: SagaPaymentRequest,
  desk: OperatorDesk,
  carried: SagaRefundCarried | undefined,
): Promise<OrderRefundOutcome> {
  const { orderId, correlationId } = payment;
  const details = `REFUND of **${payment.amount} ${payment.currency}** of order **${orderId}**`;
  // True while the payment service owes the reply to a REFUND.
  let isOwed = true;
  let answers: PaymentReply[] = [...(carried?.answers ?? [])];
  let refusal = carried?.refusal;
  let isStuck = carried?.stuckFor !== undefined;
  setHandler(paymentReplySignal, (given: unknown) => {
    const answer = paymentReplyIn(given);
    if (answer === undefined) log.warn("an answer of the payment service was left aside: it says neither SUCCEEDED nor FAILED");
    // SUCCEEDED counts whenever it comes: the money is back.
    else if (answer.status === "SUCCEEDED") isOwed = false;
    else answers.push(answer);
  });
  // A REFUND that is not sent from here comes with this signal. A second REFUND follows when the payment of an undone order succeeds late,
  // perhaps while the reply to the first REFUND is being handled.
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
  // False when a new REFUND was sent in the meantime: its reply is owed.
  const isDone = (how: string): boolean => {
    isStuck = false;
    setCurrentDetails(`${details}: ${isOwed ? "waits for the answer" : how}`);
    return !isOwed;
  };
  const askAgain = () => withoutEnd((by) => by.askForRefundAgain(payment));
  setCurrentDetails(`${details}: waits for the answer`);
  if (carried?.stuckFor !== undefined) desk.stuck(STEP, carried.stuckFor, RETRY_OR_SETTLE);

  for (let restMs = carried?.restMs ?? COMPENSATION_SLOW_MS; ;) {
    const hasNews = () => !isOwed || answers.length > 0 || desk.hasAct(STEP);
    await condition(() => hasNews() || isRunFull(), restMs);
    if (isOwed && !desk.hasAct(STEP) && isRunFull()) {
      const stuckFor = isStuck ? desk.standing().waitingFor : undefined;
      const state = { restMs, answers, ...(refusal === undefined ? {} : { refusal }), ...(stuckFor === undefined ? {} : { stuckFor }) };
      return continueAsNew<typeof sagaRefund>(payment, state);
    }
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
    // Noted also when nothing is new: the row has room for one stuck step, and another refund of the order may have held it until now.
    await show(refusal ?? "the payment service has not answered; it is asked again now and then");
  }
}

// The patch is looked at last, so that a run that is not full has no marker.
function isRunFull(): boolean {
  return workflowInfo().continueAsNewSuggested && patched("saga-refund-continues-as-new");
}
