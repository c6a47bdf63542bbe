import { DomainError } from "../../base/errors.ts";
import { hashOf } from "../../base/hash.ts";
import type { ReservationInput } from "../../contract/reservations.ts";
import { placeReservation } from "../../use-cases/reservations/place-reservation.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { ApiDeps } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import { markReplayed, readIdempotencyKey } from "../http/idempotency.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import { originOf, type RequestOrigin } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { readTtlMs } from "./reservation-ttl.ts";
import { placeReservationRoute, type ReservationBody } from "./reservations-schemas.ts";
import { reservationPath, showReservation, showReservationById } from "./show-reservation.ts";

/** Sets money aside. */
export function addPlaceReservationRoute(routes: Routes, { db, starters, settings }: ApiDeps, checkServices: CheckServices): void {
  const readReservation = (body: ReservationBody, reservationId: string, origin: RequestOrigin): ReservationInput => {
    const { userId, serviceId, orderId } = body;
    const currency = readCurrency(body.currency, settings.defaultCurrency);
    const amountMinor = readAmount(body.amount, currency).toString();
    const ttlMs = readTtlMs(body, settings.reservationTtl);
    const askedTtlMs = body.ttlMs ?? (body.ttlSeconds === undefined ? null : ttlMs);
    const comment = body.comment ?? "reservation over HTTP";
    const requestHash = hashOf([userId, serviceId, orderId, currency, amountMinor, askedTtlMs]);
    const { expiringMs } = settings.reservationTtl;
    return { reservationId, userId, serviceId, orderId, currency, amountMinor, ttlMs, expiringMs, comment, requestHash, ...origin };
  };

  routes.add(
    placeReservationRoute,
    {
      access: SERVICES,
      idempotency: { route: "reservations", required: true, memory: "row" },
      newWork: { kind: "reservations" },
      problems: ["INVALID_AMOUNT", "INVALID_CURRENCY", "UNKNOWN_SERVICE", "INSUFFICIENT_FUNDS"],
    },
    async (context) => {
      const { id: reservationId } = readIdempotencyKey(context, "reservations");
      const input = readReservation(context.req.valid("json"), reservationId, originOf(context));
      context.header("location", reservationPath(reservationId));
      const wanted = [{ serviceId: input.serviceId, pointer: "/serviceId" }];
      const { decision, replayed, hold } = await placeReservation(
        { db, starters, whileSold: (start) => checkServices.during(wanted, start) },
        input,
      );
      if (decision.outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
      if (replayed) markReplayed(context);
      if (decision.outcome === "refused") throw new DomainError(decision.code);
      const shown = hold?.status === "held" ? showReservation(hold, { nowMs: Date.now() }) : await showReservationById(db, reservationId);
      return context.json(shown, 201);
    },
  );
}
