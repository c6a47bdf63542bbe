import { createRoute, z } from "@hono/zod-openapi";
import { readReservationFacts, type ReservationFact } from "../../store/reservations/reservation-story.ts";
import { findReservation } from "../../use-cases/reservations/find-reservation.ts";
import type { ApiDeps } from "../deps.ts";
import { OWN_DATA, requireOwn } from "../http/access.ts";
import { jsonOf, timeSchema } from "../http/common-schemas.ts";
import { languageAsked, type Language } from "../http/language.ts";
import type { Routes } from "../http/routes.ts";
import { reservationSentenceOf, type ToldReservation } from "./reservation-sentences.ts";
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

/** What happened to a reservation. */
export function addReservationStoryRoute(routes: Routes, { db }: Pick<ApiDeps, "db">): void {
  routes.add(reservationTimelineRoute, { access: OWN_DATA, problems: ["RESERVATION_NOT_FOUND"] }, async (context) => {
    const hold = await findReservation(db, context.req.valid("param").reservationId);
    requireOwn(context, hold.userId, "RESERVATION_NOT_FOUND");
    const language = languageAsked(context);
    const events = (await readReservationFacts(db, hold)).map((fact) => tell(fact, hold, language));
    return context.json({ reservationId: hold.holdId, language, events }, 200);
  });
}

function tell(fact: ReservationFact, hold: ToldReservation, language: Language) {
  return {
    at: fact.at.toISOString(),
    kind: fact.kind,
    text: reservationSentenceOf(fact, hold, language),
    ...(fact.correlationId === undefined ? {} : { correlationId: fact.correlationId }),
    ...(fact.kind === "ledger" ? { operationId: fact.operationId } : {}),
  };
}
