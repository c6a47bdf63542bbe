import { withinOrNothing } from "../../base/deadline.ts";
import { listReservationHolds } from "../../store/reservations/hold-list.ts";
import { findReservation } from "../../use-cases/reservations/find-reservation.ts";
import { createReservationParts } from "../../use-cases/reservations/reservation-parts.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { ApiDeps } from "../deps.ts";
import { onlyUserOf, OWN_DATA, requireOwn } from "../http/access.ts";
import { definedOnly, filteredPlace, startOfFilteredPage, type FilteredList } from "../http/filtered-cursor.ts";
import { afterPlace, pageOf, TIME_AND_ID } from "../http/page.ts";
import type { Routes } from "../http/routes.ts";
import { addPlaceLinesRoute } from "./place-lines-route.ts";
import { addPlaceReservationRoute } from "./place-reservation-route.ts";
import { addReservationActRoutes } from "./reservation-acts.ts";
import { addReservationMatchRoutes } from "./reservation-matches.ts";
import { addReservationStoryRoute } from "./reservation-story.ts";
import { listReservationsRoute, readReservationRoute, reservationFiltersSchema } from "./reservations-schemas.ts";
import { showReservation, showReservationById, showReservations } from "./show-reservation.ts";

const LIST: FilteredList = { name: "reservations", schema: reservationFiltersSchema, shapes: TIME_AND_ID };
const QUERY_DEADLINE_MS = 1_000;

/**
 * Reservations. The workflow keeps the time; the hold's row decides every race, so a request that meets a closed workflow is
 * put to the ledger under the same key and learns there what became of the money.
 */
export function addReservationRoutes(routes: Routes, deps: ApiDeps, checkServices: CheckServices): void {
  const { db, starters } = deps;
  const parts = createReservationParts(deps);

  addPlaceReservationRoute(routes, deps, checkServices);
  addPlaceLinesRoute(routes, deps, parts, checkServices);
  addReservationActRoutes(routes, deps, parts);
  addReservationMatchRoutes(routes, deps, parts);
  addReservationStoryRoute(routes, deps);

  routes.add(readReservationRoute, { access: OWN_DATA, problems: ["RESERVATION_NOT_FOUND"] }, async (context) => {
    const hold = await findReservation(db, context.req.valid("param").reservationId);
    requireOwn(context, hold.userId, "RESERVATION_NOT_FOUND");
    if (hold.status !== "held") return context.json(await showReservationById(db, hold.holdId), 200);
    const running = await withinOrNothing(starters.reservationStatus(hold.holdId), QUERY_DEADLINE_MS);
    return context.json(showReservation(hold, { nowMs: Date.now(), running }), 200);
  });

  routes.add(listReservationsRoute, { access: OWN_DATA, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { limit, cursor, ...named } = context.req.valid("query");
    const { filters, position } = startOfFilteredPage(LIST, definedOnly(named), cursor);
    const { userId: wantedUser, orderId, status } = reservationFiltersSchema.parse(filters);
    const only = onlyUserOf(context.get("principal"));
    // Of another user there is nothing to see, as of a user without reservations.
    if (only !== undefined && wantedUser !== undefined && wantedUser !== only) return context.json({ reservations: [] }, 200);
    const userId = only ?? wantedUser;
    const rows = await listReservationHolds(db, {
      limit,
      ...(userId === undefined ? {} : { userId }),
      ...(orderId === undefined ? {} : { orderId }),
      ...(status === undefined ? {} : { status }),
      ...afterPlace(position),
    });
    const { page, nextCursor } = pageOf(rows, limit, LIST.name, ({ place }) => filteredPlace(filters, [place.createdAt, place.id]));
    const holds = page.map(({ hold }) => hold);
    return context.json({ reservations: await showReservations(db, holds), nextCursor }, 200);
  });
}
