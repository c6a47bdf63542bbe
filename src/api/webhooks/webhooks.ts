import type { ApiDeps } from "../deps.ts";
import type { Routes } from "../http/routes.ts";
import { addWebhookDeliveryRoutes } from "./deliveries.ts";
import { addManageWebhookRoutes } from "./manage-webhooks.ts";
import { addRegisterWebhookRoute } from "./register-webhook.ts";
import { addRotateSecretRoute } from "./rotate-secret.ts";

/** Addresses that events are sent to, their secrets, and what became of each event there. */
export function addWebhookRoutes(routes: Routes, deps: ApiDeps): void {
  addRegisterWebhookRoute(routes, deps);
  addManageWebhookRoutes(routes, deps);
  addRotateSecretRoute(routes, deps);
  addWebhookDeliveryRoutes(routes, deps);
}
