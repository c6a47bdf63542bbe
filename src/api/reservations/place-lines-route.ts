import { DomainError } from "../../base/errors.ts";
import { uuidOf, hashOf } from "../../base/hash.ts";
import { lineKey } from "../../contract/ids.ts";
import { getHolds } from "../../store/reservations/hold-lines.ts";
import { placeLines, type PlacedLine } from "../../use-cases/reservations/place-lines.ts";
import type { ReservationParts } from "../../use-cases/reservations/reservation-request.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { ApiDeps, ApiSettings } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import { markReplayed, readIdempotencyKey } from "../http/idempotency.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import { originOf, type RequestOrigin } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { placeReservationLinesRoute, type ReservationLinesBody } from "./reservation-lines-schemas.ts";
import { readTtlMs } from "./reservation-ttl.ts";
import { showReservationLines } from "./show-reservation-lines.ts";

const ROUTE = "reservations/lines";

/** Sets money aside for several lines of an order, all or none. */
export function addPlaceLinesRoute(routes: Routes, deps: ApiDeps, parts: ReservationParts, checkServices: CheckServices): void {
  const { db, starters, settings } = deps;
  routes.add(
    placeReservationLinesRoute,
    {
      access: SERVICES,
      idempotency: { route: ROUTE, required: true, memory: "row" },
      newWork: { kind: "reservations" },
      problems: [
        "INVALID_AMOUNT",
        "INVALID_CURRENCY",
        "UNKNOWN_SERVICE",
        "INSUFFICIENT_FUNDS",
        "ALREADY_CONFIRMED",
        "ALREADY_RELEASED",
        "RESERVATION_EXPIRED",
      ],
    },
    async (context) => {
      const body = context.req.valid("json");
      const lines = readLines(body, readIdempotencyKey(context, ROUTE).key, originOf(context), settings);
      const { replayed } = await placeLines(
        {
          parts,
          starters,
          whileSold: (wanted, start) =>
            checkServices.during(
              wanted.map(({ lineNo, input }) => ({ serviceId: input.serviceId, pointer: `/lines/${lineNo - 1}/serviceId` })),
              start,
            ),
        },
        lines,
      );
      if (replayed) markReplayed(context);
      const holds = await getHolds(
        db,
        lines.map(({ input }) => input.reservationId),
      );
      const placed = lines.flatMap(({ input }) => holds.get(input.reservationId) ?? []);
      return context.json(await showReservationLines(db, body, placed), 201);
    },
  );
}

function readLines(body: ReservationLinesBody, key: string, origin: RequestOrigin, settings: ApiSettings): [PlacedLine, ...PlacedLine[]] {
  const { userId, orderId } = body;
  const currency = readCurrency(body.currency, settings.defaultCurrency);
  const ttlMs = readTtlMs(body, settings.reservationTtl);
  const askedTtlMs = body.ttlMs ?? (body.ttlSeconds === undefined ? null : ttlMs);
  const asked = body.lines.map(({ serviceId, amount }, place) => ({
    lineNo: place + 1,
    serviceId,
    amountMinor: readAmount(amount, currency, `/lines/${place}/amount`).toString(),
  }));
  const requestHash = hashOf([userId, orderId, currency, askedTtlMs, asked.map(({ serviceId, amountMinor }) => [serviceId, amountMinor])]);
  const common = {
    userId,
    orderId,
    currency,
    ttlMs,
    expiresAt: new Date(Date.now() + ttlMs).toISOString(),
    expiringMs: settings.reservationTtl.expiringMs,
    comment: body.comment ?? "lines of an order over HTTP",
    requestHash,
    ...origin,
  };
  const [first, ...others] = asked.map(({ lineNo, ...line }) => ({
    lineNo,
    input: { ...common, ...line, reservationId: uuidOf(lineKey(key, lineNo)) },
  }));
  // The schema asks for one line at least.
  if (first === undefined) throw new DomainError("INVALID_REQUEST");
  return [first, ...others];
}
