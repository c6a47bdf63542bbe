import { defineSignal } from "@temporalio/workflow";

/** What starts a `webhookDelivery`. What is sent stands in Postgres under the delivery's id. */
export interface WebhookDeliveryInput {
  readonly webhookId: string;
  readonly eventId: string;
  readonly deliveryId: string;
}

/** One attempt at a delivery. `nextDelayMs` is how long the workflow will wait before the next; null when there is none. */
export interface WebhookAttemptInput {
  readonly deliveryId: string;
  readonly nextDelayMs: number | null;
}

/**
 * `settled`: delivered, given up or not wanted any more. `again`: the next attempt comes after `nextDelayMs`, or after `againInMs` where the
 * receiver asked for a longer wait.
 */
export type WebhookAttemptResult = "settled" | "again" | { readonly againInMs: number };

/** Asks for an attempt at once. */
export const deliverNowSignal = defineSignal("deliverNow");

/** The type of the event that a webhook is tried out with. */
export const WEBHOOK_TEST_EVENT = "saldo.webhook.test";
