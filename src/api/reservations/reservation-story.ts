import { readReservationFacts, type ReservationFact } from "../../store/reservations/reservation-story.ts";
import { findReservation } from "../../use-cases/reservations/find-reservation.ts";
import type { ApiDeps } from "../deps.ts";
import { OWN_DATA, requireOwn } from "../http/access.ts";
import { languageAsked, type Language } from "../http/language.ts";
import type { Routes } from "../http/routes.ts";
import { reservationSentenceOf, type ToldReservation } from "./reservation-sentences.ts";
import { reservationTimelineRoute } from "./reservation-story-schemas.ts";

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
