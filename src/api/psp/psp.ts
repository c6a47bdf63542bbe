import { DomainError } from "../../base/errors.ts";
import { takeProviderEvent } from "../../use-cases/orders/take-provider-event.ts";
import type { ApiDeps } from "../deps.ts";
import { readUpTo, unlessCutOff } from "../http/request-body.ts";
import type { Routes } from "../http/routes.ts";
import { takeStripeEventRoute } from "./psp-schemas.ts";

/** An event holds a whole object of Stripe's, a charge with all its refunds at most. */
const MAX_EVENT_BYTES = 262_144;

/** What the payment provider tells by itself. */
export function addPspRoutes(routes: Routes, deps: ApiDeps): void {
  routes.add(
    takeStripeEventRoute,
    {
      access: "public",
      problems: ["INVALID_SIGNATURE", "INVALID_REQUEST", "MALFORMED_JSON", "NOT_FOUND", "PAYLOAD_TOO_LARGE", "UNAVAILABLE"],
    },
    async (context) => {
      if (deps.providerEvents === undefined) throw new DomainError("NOT_FOUND");
      // The signature is of the bytes: nothing may read and write them anew before.
      const body = await unlessCutOff(readUpTo(context.req.raw.body, MAX_EVENT_BYTES));
      const event = await deps.providerEvents.read(body, context.req.header("stripe-signature"));
      const taken = await takeProviderEvent(deps, event, context.get("correlationId"));
      return context.json({ taken }, 200);
    },
  );
}
