import { condition, continueAsNew, patched, setCurrentDetails, setHandler, workflowInfo } from "@temporalio/workflow";
import { deliverNowSignal, type WebhookDeliveryInput } from "../../src/contract/webhooks.ts";
import { webhookSteps } from "../activity-proxies.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** The retry schedule that the Standard Webhooks specification proposes: the last attempt is made after more than three days. */
const RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];
/** Each delay is longer or shorter by up to this share. */
const JITTER = 0.1;

/**
 * Delivers one event to one webhook: attempts it until the receiver takes it, for more than three days, not before the receiver asked
 * for it, and at once at each `deliverNow` signal. Its client may ask without end: when the server advises it, a new run goes on with the
 * next attempt.
 */
export async function webhookDelivery(delivery: WebhookDeliveryInput, firstRetry = 0): Promise<void> {
  const { deliveryId } = delivery;
  let asked = 0;
  setHandler(deliverNowSignal, () => {
    asked += 1;
  });
  for (let retry = firstRetry; ; retry += 1) {
    // Whoever asked before this moment is served by the next attempt, of this run or of a new one.
    if (workflowInfo().continueAsNewSuggested && patched("webhook-delivery-continues-as-new"))
      return continueAsNew<typeof webhookDelivery>(delivery, retry);
    const askedBefore = asked;
    const nextDelayMs = delayAfter(retry);
    const result = await webhookSteps.attemptWebhookDelivery({ deliveryId, nextDelayMs });
    if (result === "settled" || nextDelayMs === null) {
      // A `deliverNow` that came during the last attempt starts the schedule anew: a redelivery has made the delivery pending again.
      if (asked === askedBefore) return;
      retry = -1;
      continue;
    }
    const delayMs = result === "again" ? nextDelayMs : result.againInMs;
    setCurrentDetails(`Attempt ${retry + 1} failed; the next in ${Math.round(delayMs / SECOND_MS)} s.`);
    await condition(() => asked > askedBefore, delayMs);
  }
}

function delayAfter(retry: number): number | null {
  const delayMs = RETRY_DELAYS_MS[retry];
  return delayMs === undefined ? null : Math.round(delayMs * (1 - JITTER + 2 * JITTER * Math.random()));
}
