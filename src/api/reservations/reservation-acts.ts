import { advanceReservation } from "../../use-cases/reservations/advance-reservation.ts";
import { confirmReservation } from "../../use-cases/reservations/confirm-reservation.ts";
import { extendReservation } from "../../use-cases/reservations/extend-reservation.ts";
import { findReservation } from "../../use-cases/reservations/find-reservation.ts";
import { releaseReservation } from "../../use-cases/reservations/release-reservation.ts";
import type { ReservationParts } from "../../use-cases/reservations/reservation-request.ts";
import type { ApiDeps } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import { readAmount } from "../http/read-money.ts";
import { originOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { answerAct, CLOSED_PROBLEMS, requestOf } from "./answer-act.ts";
import { readTtlMs, refuseTtl } from "./reservation-ttl.ts";
import {
  advanceReservationClockRoute,
  confirmReservationRoute,
  extendReservationRoute,
  releaseReservationRoute,
} from "./reservations-schemas.ts";
import { showReservationById } from "./show-reservation.ts";

/** What can be done with a reservation that is named by its id. */
export function addReservationActRoutes(routes: Routes, deps: ApiDeps, parts: ReservationParts): void {
  const { db, settings } = deps;
  const keyed = (route: string) => ({ route, required: true, memory: "row" }) as const;

  routes.add(
    confirmReservationRoute,
    {
      access: SERVICES,
      bodyOptional: true,
      idempotency: keyed("reservations/confirm"),
      problems: [...CLOSED_PROBLEMS, "INVALID_AMOUNT", "AMOUNT_EXCEEDS_HOLD", "PAUSED"],
    },
    async (context) => {
      const hold = await findReservation(db, context.req.valid("param").reservationId);
      const { amount } = context.req.valid("json");
      const amountMinor = amount === undefined ? undefined : readAmount(amount, hold.currency);
      const result = await confirmReservation(parts, requestOf(context, "reservations/confirm"), hold, amountMinor);
      return await answerAct(context, db, hold.holdId, result);
    },
  );

  routes.add(
    releaseReservationRoute,
    { access: SERVICES, bodyOptional: true, idempotency: keyed("reservations/release"), problems: CLOSED_PROBLEMS },
    async (context) => {
      const hold = await findReservation(db, context.req.valid("param").reservationId);
      const result = await releaseReservation(parts, requestOf(context, "reservations/release"), hold);
      return await answerAct(context, db, hold.holdId, result);
    },
  );

  routes.add(
    extendReservationRoute,
    { access: SERVICES, idempotency: keyed("reservations/extend"), problems: CLOSED_PROBLEMS },
    async (context) => {
      const hold = await findReservation(db, context.req.valid("param").reservationId);
      const body = context.req.valid("json");
      const ttlMs = readTtlMs(body, settings.reservationTtl);
      const latestMs = hold.createdAt.getTime() + settings.reservationTtl.maxMs;
      const newEnd = new Date(Date.now() + ttlMs);
      const request = requestOf(context, "reservations/extend");
      if (newEnd.getTime() > latestMs && hold.status === "held")
        throw refuseTtl(body, `must not hold the money beyond ${new Date(latestMs).toISOString()}`);
      return await answerAct(context, db, hold.holdId, await extendReservation(parts, request, hold, { ttlMs, newEnd }));
    },
  );

  if (settings.testClock === true)
    routes.add(advanceReservationClockRoute, { access: SERVICES, problems: CLOSED_PROBLEMS }, async (context) => {
      const { reservationId } = context.req.valid("param");
      await advanceReservation(deps, { reservationId, advanceMs: context.req.valid("json").advanceMs, ...originOf(context) });
      return context.json(await showReservationById(db, reservationId), 200);
    });
}
