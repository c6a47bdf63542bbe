import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../adapters/log.ts";
import { messageOf } from "../base/errors.ts";
import type { WebhookDeliveryInput } from "../contract/webhooks.ts";
import type { NewDelivery, WaitingDelivery } from "../store/webhooks/webhook-deliveries.ts";
import type { ActiveWebhook } from "../store/webhooks/webhooks.ts";
import type { OutgoingEvent } from "./outgoing-message.ts";

/** The deliveries of events to webhooks: one for each event and each webhook that asked for the event's type. */
export function deliveriesOf(events: readonly OutgoingEvent[], webhooks: readonly ActiveWebhook[]): NewDelivery[] {
  return events.flatMap(({ id, type, body }) =>
    webhooks
      .filter(({ eventTypes }) => eventTypes.length === 0 || eventTypes.some((wanted) => isOfType(type, wanted)))
      .map(({ webhookId }) => ({ webhookId, eventId: id, eventType: type, body })),
  );
}

function isOfType(type: string, wanted: string): boolean {
  return wanted.endsWith(".*") ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}

export interface DispatcherDeps {
  readonly listWaiting: (limit: number) => Promise<readonly WaitingDelivery[]>;
  readonly markDispatched: (deliveryIds: readonly string[]) => Promise<void>;
  /** Starts a delivery's workflow. Throws while Temporal is away. */
  readonly start: (delivery: WebhookDeliveryInput) => Promise<void>;
  readonly pollMs: number;
  readonly maxPauseMs: number;
  readonly log: Log;
}

const BATCH = 100;
/** After a step that started something: its webhooks may soon have free slots again. */
const BUSY_POLL_MS = 50;
const AT_ONCE = 10;

/**
 * Starts the workflows of deliveries that wait. It runs beside the relay, so that an outage of Temporal holds up no topic: the
 * deliveries wait in Postgres. After a kill between start and mark a delivery is started again, which costs one more attempt at most.
 */
export function createWebhookDispatcher(deps: DispatcherDeps) {
  const step = async (): Promise<number> => {
    const waiting = await deps.listWaiting(BATCH);
    for (let first = 0; first < waiting.length; first += AT_ONCE) {
      const group = waiting.slice(first, first + AT_ONCE);
      const started = await Promise.allSettled(group.map((delivery) => deps.start(delivery)));
      await deps.markDispatched(group.filter((_, place) => started[place]?.status === "fulfilled").map(({ deliveryId }) => deliveryId));
      for (const outcome of started) if (outcome.status === "rejected") throw outcome.reason;
    }
    return waiting.length;
  };

  return {
    /** Starts one batch and returns how many deliveries waited. Throws: what starting throws, after the started ones are marked. */
    step,
    /** Starts deliveries until the signal aborts. Waits out every outage. */
    async run(signal: AbortSignal): Promise<void> {
      let pauseMs = deps.pollMs;
      while (!signal.aborted) {
        try {
          const waited = await step();
          if (waited >= BATCH) pauseMs = 0;
          else pauseMs = waited > 0 ? Math.min(BUSY_POLL_MS, deps.pollMs) : Math.min(Math.max(pauseMs, BUSY_POLL_MS) * 2, deps.pollMs);
        } catch (error) {
          pauseMs = Math.min(Math.max(pauseMs, deps.pollMs) * 2, deps.maxPauseMs);
          deps.log.warn({ event: "webhooks.waiting", err: messageOf(error), pauseMs }, "the deliveries of webhooks wait");
        }
        if (pauseMs > 0) await sleep(pauseMs, undefined, { signal }).catch(() => {});
      }
    },
  };
}
