import { expect } from "vitest";
import type { TestApi } from "./http-api.ts";

/** The settings of an API whose webhooks may go to servers of this machine. */
export const LOCAL_WEBHOOKS = { allowHttp: true, allowPrivate: true };

/** Registers webhooks, to `url` unless said. */
export function createWebhookClient(target: () => { readonly api: TestApi; readonly url: string }) {
  const created: string[] = [];
  return {
    async register(body: Record<string, unknown> = {}): Promise<{ webhookId: string; secret: string }> {
      const { api, url } = target();
      const answer = await api.call("POST", "/api/v1/webhooks", { body: { url, ...body } });
      expect(answer.status).toBe(201);
      const webhookId = String(answer.body["webhookId"]);
      created.push(webhookId);
      return { webhookId, secret: String(answer.body["secret"]) };
    },
    /** Deletes the webhooks that it registered. */
    async deleteAll(): Promise<void> {
      for (const webhookId of created.splice(0)) await target().api.call("DELETE", `/api/v1/webhooks/${webhookId}`);
    },
  };
}
