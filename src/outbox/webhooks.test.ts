import { describe, expect, it } from "vitest";
import { SILENT_LOG } from "../adapters/log.ts";
import { createWebhookDispatcher, deliveriesOf } from "./webhooks.ts";

const event = (type: string) => ({ id: "outbox/1", type, body: "{}" });
const webhook = (webhookId: string, ...eventTypes: string[]) => ({ webhookId, eventTypes });

describe("an event", () => {
  it("goes to the webhooks that asked for its type, its group, or everything", () => {
    const webhooks = [
      webhook("all"),
      webhook("this", "saldo.order.completed"),
      webhook("group", "saldo.operation.*", "saldo.order.*"),
      webhook("other", "saldo.order.failed", "saldo.orderly.*"),
    ];
    expect(deliveriesOf([event("saldo.order.completed")], webhooks).map(({ webhookId }) => webhookId)).toEqual(["all", "this", "group"]);
  });
});

describe("the deliveries of webhooks", () => {
  const waiting = [1, 2, 3].map((id) => ({ deliveryId: String(id), webhookId: "w", eventId: `e${id}` }));

  it("are marked only when their workflow was started", async () => {
    const marked: string[] = [];
    const dispatcher = createWebhookDispatcher({
      listWaiting: async () => waiting,
      markDispatched: async (ids) => void marked.push(...ids),
      start: async ({ deliveryId }) => {
        if (deliveryId === "2") throw new Error("Temporal is away");
      },
      pollMs: 1,
      maxPauseMs: 1,
      log: SILENT_LOG,
    });
    await expect(dispatcher.step()).rejects.toThrow("Temporal is away");
    expect(marked).toEqual(["1", "3"]);
  });
});
