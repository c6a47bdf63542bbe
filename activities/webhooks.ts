import { ApplicationFailure, ApplicationFailureCategory } from "@temporalio/common";
import { messageOf } from "../src/base/errors.ts";
import type { WebhookAttemptInput, WebhookAttemptResult } from "../src/contract/webhooks.ts";
import { RECEIVER_RESTS } from "../src/domain/webhooks/receiver-rests.ts";
import { retryAfterMsOf } from "../src/domain/webhooks/retry-after.ts";
import { recordAttempt, readDelivery, type PendingDelivery } from "../src/store/webhooks/webhook-deliveries.ts";
import { disableWebhook } from "../src/store/webhooks/webhooks.ts";
import type { ActivityDeps, WebhookAnswer, WebhookPort } from "./activity-deps.ts";
import { createReceiverBounds } from "./receiver-bounds.ts";

const GONE = 410;
/** A person may end a rest before its time: whoever waits for its end looks again so often. */
const LOOK_AGAIN_MS = RECEIVER_RESTS.maxRestSeconds * 1_000;
/** Attempts that waited for the end of a rest do not all come at once. */
const REST_JITTER = 0.2;

/** The activity of the `webhookDelivery` workflow. */
export function createWebhookActivities({ db, webhooks, logger }: Pick<ActivityDeps, "db" | "webhooks" | "logger">) {
  const bounds = createReceiverBounds({ nowMs: () => performance.now(), random: Math.random });

  return {
    /**
     * Attempts a delivery once and records the outcome. A receiver that fails is an outcome, not a failure of the activity.
     * Safe to retry: a settled delivery is not sent again; an attempt whose outcome was lost is sent again under the same id.
     * Throws: UNAVAILABLE or DEADLINE_EXCEEDED of the store; RECEIVER_BUSY, with the time of its turn, while the receiver rests or as
     * many attempts are under way as it may have: nothing was sent, and Temporal retries at that time.
     */
    async attemptWebhookDelivery({ deliveryId, nextDelayMs }: WebhookAttemptInput): Promise<WebhookAttemptResult> {
      const delivery = await readDelivery(db, deliveryId);
      if (delivery === undefined || delivery.status !== "pending") return "settled";
      const { webhookId, restMs } = delivery;
      if (!delivery.isWanted) {
        await recordAttempt(db, { deliveryId, status: "abandoned", lastError: "the webhook is disabled or deleted", attempted: false });
        return "settled";
      }
      if (restMs > 0) throw busy("the receiver rests", Math.ceil(Math.min(restMs, LOOK_AGAIN_MS) * (1 + REST_JITTER * Math.random())));
      const place = bounds.enter(webhookId);
      if ("waitMs" in place) throw busy("as many attempts are under way as this receiver may have", place.waitMs);
      const answer = await send(webhooks, delivery).finally(place.leave);
      const isDelivered = answer.status !== undefined && answer.status >= 200 && answer.status < 300;
      const isGone = answer.status === GONE;
      if (isGone) await disableWebhook(db, { webhookId, reason: "the receiver answered 410 Gone" });
      const status = isDelivered ? "delivered" : isGone ? "abandoned" : nextDelayMs === null ? "failed" : "pending";
      const askedMs = retryAfterMsOf(answer, Date.now());
      const delayMs = nextDelayMs === null ? null : Math.max(nextDelayMs, askedMs ?? 0);
      const lastError = isDelivered ? undefined : (answer.error ?? `the receiver answered ${answer.status}`);
      await recordAttempt(db, {
        deliveryId,
        status,
        attempted: true,
        ...(answer.status === undefined ? {} : { responseStatus: answer.status }),
        ...(lastError === undefined ? {} : { lastError }),
        ...(status === "pending" && delayMs !== null ? { nextDelayMs: delayMs } : {}),
        ...(askedMs === undefined ? {} : { restMs: askedMs }),
      });
      if (lastError !== undefined)
        logger.warn({ event: "webhook.failed", webhookId, deliveryId, status, responseStatus: answer.status }, lastError);
      if (status !== "pending" || delayMs === null) return "settled";
      return delayMs === nextDelayMs ? "again" : { againInMs: delayMs };
    },
  };
}

// BENIGN, because waiting in a queue is no incident: no warning in the log, no failure in the metrics.
function busy(message: string, waitMs: number): ApplicationFailure {
  return ApplicationFailure.create({
    type: "RECEIVER_BUSY",
    message,
    nextRetryDelay: waitMs,
    category: ApplicationFailureCategory.BENIGN,
  });
}

async function send(port: WebhookPort | undefined, delivery: PendingDelivery): Promise<WebhookAnswer> {
  if (port === undefined) return { status: undefined, error: "this worker sends no webhooks" };
  const { url, eventId, body, webhookId } = delivery;
  try {
    const secrets = delivery.secrets.map((sealed) => port.openSecret(sealed, webhookId));
    return await port.send({ url, id: eventId, body, secrets });
  } catch (error) {
    return { status: undefined, error: messageOf(error) };
  }
}
