import type { Db } from "../../store/postgres/database.ts";
import type { ActResult, ReservationRequest } from "../../use-cases/reservations/reservation-request.ts";
import type { ApiContext } from "../api-env.ts";
import { markReplayed, readIdempotencyKey } from "../http/idempotency.ts";
import { originOf } from "../http/request-origin.ts";
import { showReservationById } from "./show-reservation.ts";

/** The codes that every act on a reservation may answer. */
export const CLOSED_PROBLEMS = ["RESERVATION_NOT_FOUND", "ALREADY_CONFIRMED", "ALREADY_RELEASED", "RESERVATION_EXPIRED"] as const;

/** The request of an act, by the Idempotency-Key of its route. Throws: IDEMPOTENCY_KEY_REQUIRED, INVALID_IDEMPOTENCY_KEY, CARD_DATA_REFUSED. */
export function requestOf(context: ApiContext, route: string): ReservationRequest {
  return { key: readIdempotencyKey(context, route).key, ...originOf(context) };
}

/** The reservation as it stands after the act. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function answerAct(context: ApiContext, db: Db, reservationId: string, { replayed }: ActResult) {
  if (replayed) markReplayed(context);
  return context.json(await showReservationById(db, reservationId), 200);
}
