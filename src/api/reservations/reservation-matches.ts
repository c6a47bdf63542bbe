import { confirmLines, releaseLines } from "../../use-cases/reservations/act-on-lines.ts";
import { confirmReservation } from "../../use-cases/reservations/confirm-reservation.ts";
import { pickReservationOnce } from "../../use-cases/reservations/find-reservation.ts";
import { releaseReservation } from "../../use-cases/reservations/release-reservation.ts";
import type { ReservationParts } from "../../use-cases/reservations/reservation-request.ts";
import type { ApiDeps } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import type { Routes } from "../http/routes.ts";
import { answerAct, CLOSED_PROBLEMS, requestOf } from "./answer-act.ts";
import { answerLines } from "./answer-lines.ts";
import { confirmMatchRoute, releaseMatchRoute } from "./reservation-lines-schemas.ts";

/** What can be done with a reservation that is named by its user, service and order, and with all of an order. */
export function addReservationMatchRoutes(routes: Routes, { db, settings }: ApiDeps, parts: ReservationParts): void {
  const inCurrency = (currency: string | undefined): { readonly currency?: string } =>
    currency === undefined ? {} : { currency: readCurrency(currency, settings.defaultCurrency) };

  routes.add(
    confirmMatchRoute,
    {
      access: SERVICES,
      idempotency: { route: "reservations/confirm-match", required: true, memory: "row" },
      problems: [...CLOSED_PROBLEMS, "AMBIGUOUS", "INVALID_AMOUNT", "INVALID_CURRENCY", "AMOUNT_EXCEEDS_HOLD", "PAUSED"],
    },
    async (context) => {
      const request = requestOf(context, "reservations/confirm-match");
      const { amount, currency, serviceId, ...order } = context.req.valid("json");
      if (serviceId === undefined) {
        const wanted = { ...order, ...inCurrency(currency) };
        return await answerLines(context, db, wanted, await confirmLines(parts, request, wanted));
      }
      const hold = await pickReservationOnce(db, request.key, { ...order, serviceId }, inCurrency(currency).currency);
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
      const { currency, serviceId, ...order } = context.req.valid("json");
      if (serviceId === undefined) {
        const wanted = { ...order, ...inCurrency(currency) };
        return await answerLines(context, db, wanted, await releaseLines(parts, request, wanted));
      }
      const hold = await pickReservationOnce(db, request.key, { ...order, serviceId }, inCurrency(currency).currency);
      return await answerAct(context, db, hold.holdId, await releaseReservation(parts, request, hold));
    },
  );
}
