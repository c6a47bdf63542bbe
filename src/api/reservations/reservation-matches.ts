import { confirmReservation } from "../../use-cases/reservations/confirm-reservation.ts";
import { pickReservationOnce } from "../../use-cases/reservations/find-reservation.ts";
import { releaseReservation } from "../../use-cases/reservations/release-reservation.ts";
import type { ReservationParts } from "../../use-cases/reservations/reservation-request.ts";
import type { ApiDeps } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import type { Routes } from "../http/routes.ts";
import { answerAct, CLOSED_PROBLEMS, requestOf } from "./answer-act.ts";
import { confirmMatchRoute, releaseMatchRoute } from "./reservations-schemas.ts";

/** What can be done with a reservation that is named by its user, service and order. */
export function addReservationMatchRoutes(routes: Routes, { db, settings }: ApiDeps, parts: ReservationParts): void {
  const currencyOf = (currency: string | undefined) =>
    currency === undefined ? undefined : readCurrency(currency, settings.defaultCurrency);

  routes.add(
    confirmMatchRoute,
    {
      access: SERVICES,
      idempotency: { route: "reservations/confirm-match", required: true, memory: "row" },
      problems: [...CLOSED_PROBLEMS, "AMBIGUOUS", "INVALID_AMOUNT", "INVALID_CURRENCY", "AMOUNT_EXCEEDS_HOLD", "PAUSED"],
    },
    async (context) => {
      const request = requestOf(context, "reservations/confirm-match");
      const { amount, currency, ...triple } = context.req.valid("json");
      const hold = await pickReservationOnce(db, request.key, triple, currencyOf(currency));
      const amountMinor = amount === undefined ? undefined : readAmount(amount, hold.currency);
      return await answerAct(context, db, hold.holdId, await confirmReservation(parts, request, hold, amountMinor));
    },
  );

  routes.add(
    releaseMatchRoute,
    {
      access: SERVICES,
      idempotency: { route: "reservations/release-match", required: true, memory: "row" },
      problems: [...CLOSED_PROBLEMS, "AMBIGUOUS", "INVALID_CURRENCY"],
    },
    async (context) => {
      const request = requestOf(context, "reservations/release-match");
      const { currency, ...triple } = context.req.valid("json");
      const hold = await pickReservationOnce(db, request.key, triple, currencyOf(currency));
      return await answerAct(context, db, hold.holdId, await releaseReservation(parts, request, hold));
    },
  );
}
