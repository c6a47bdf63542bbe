import { createRoute, z } from "@hono/zod-openapi";
import { jsonOf } from "../http/common-schemas.ts";

const takenSchema = z
  .object({ taken: z.enum(["done", "known", "foreign"]) })
  .openapi("TakenProviderEvent", { description: "`known`: it was taken before. `foreign`: it is of no order of Saldo." });

export const takeStripeEventRoute = createRoute({
  method: "post",
  path: "/api/v1/psp/stripe/webhooks",
  operationId: "takeStripeEvent",
  tags: ["payments"],
  summary: "Takes an event of Stripe",
  description:
    "For Stripe alone, which signs the body as it is sent in `Stripe-Signature`. An event that was taken is answered with 200 at once when it comes again.",
  request: { headers: z.object({ "stripe-signature": z.string().optional().openapi({ description: "`t=…,v1=…`." }) }) },
  responses: {
    200: { description: "Taken; it need not be sent again.", ...jsonOf(takenSchema) },
  },
});
