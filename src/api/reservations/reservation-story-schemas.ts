import { createRoute, z } from "@hono/zod-openapi";
import { jsonOf, timeSchema } from "../http/common-schemas.ts";
import { reservationParamsSchema } from "./reservations-schemas.ts";

export const reservationTimelineRoute = createRoute({
  method: "get",
  path: "/api/v1/reservations/{reservationId}/timeline",
  operationId: "getReservationTimeline",
  tags: ["reservations"],
  summary: "What happened to a reservation and why, in plain words",
  description:
    "In Russian or English, as Accept-Language says. What happened to its money, also what was refused, who moved its end, and what was told of it, in the order of time.",
  request: {
    params: reservationParamsSchema,
    headers: z.object({ "Accept-Language": z.string().optional().openapi({ example: "ru" }) }),
  },
  responses: {
    200: {
      description: "The story, oldest first.",
      ...jsonOf(
        z
          .object({
            reservationId: z.string(),
            language: z.enum(["ru", "en"]),
            events: z.array(
              z.object({
                at: timeSchema,
                kind: z.enum(["ledger", "move", "message"]),
                text: z.string().openapi({ example: "100.50 RUB available again: not confirmed in time" }),
                correlationId: z.string().optional(),
                operationId: z.string().optional(),
              }),
            ),
          })
          .openapi("ReservationTimeline"),
      ),
    },
  },
});
