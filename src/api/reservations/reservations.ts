import { randomUUID } from "node:crypto";
import { withinOrNothing } from "../../base/deadline.ts";
import { DomainError } from "../../base/errors.ts";
import { hashOf } from "../../base/hash.ts";
import type { ReservationInput } from "../../contract/reservations.ts";
import { contentHash, type Operation } from "../../domain/ledger/operations.ts";
import { closedReservationCode } from "../../domain/reservations/reservation-states.ts";
import { findOperation } from "../../store/ledger/operations.ts";
import { listReservationHolds } from "../../store/reservations/hold-list.ts";
import { rescuedMinorOf } from "../../store/reservations/hold-rescues.ts";
import { findHoldByOperation, type HoldRecord } from "../../store/reservations/holds.ts";
import { createReservationActs, type ActResult, type ReservationRequest } from "../../use-cases/reservations/reservation-acts.ts";
import { holdOfReservation } from "../../use-cases/reservations/reservation-hold.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps, ApiSettings } from "../deps.ts";
import { onlyUserOf, OWN_DATA, requireOwn, SERVICES } from "../http/access.ts";
import { InvalidRequest } from "../http/error-handler.ts";
import { markReplayed, readIdempotencyKey } from "../http/idempotency.ts";
import { pageOf, startOfPage } from "../http/page.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import { originOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import {
  advanceReservationClockRoute,
  confirmMatchRoute,
  confirmReservationRoute,
  extendReservationRoute,
  listReservationsRoute,
  placeReservationRoute,
  readReservationRoute,
  releaseMatchRoute,
  releaseReservationRoute,
} from "./reservations-schemas.ts";
import { reservationPath, showReservation } from "./show-reservation.ts";

const LIST = "reservations";
const CLOSED_PROBLEMS = ["RESERVATION_NOT_FOUND", "ALREADY_CONFIRMED", "ALREADY_RELEASED", "RESERVATION_EXPIRED"] as const;
const QUERY_DEADLINE_MS = 1_000;

type Lifetime = { readonly ttlMs?: number | undefined; readonly ttlSeconds?: number | undefined };

/**
 * Reservations. The workflow keeps the time; the hold's row decides every race, so a request that meets a closed workflow is
 * put to the ledger under the same key and learns there what became of the money.
 */
export function addReservationRoutes(routes: Routes, deps: ApiDeps, checkServices: CheckServices): void {
  const { db, starters, settings } = deps;
  const acts = createReservationActs(deps);

  /** True when the operation was done under its key before. Throws: the code it was refused with; IDEMPOTENCY_CONFLICT. */
  const wasDone = async (context: ApiContext, operation: Operation): Promise<boolean> => {
    const known = await findOperation(db, operation.key);
    if (known === undefined) return false;
    if (known.contentHash !== contentHash(operation)) throw new DomainError("IDEMPOTENCY_CONFLICT");
    markReplayed(context);
    if (known.refusalCode !== undefined) throw new DomainError(known.refusalCode);
    return true;
  };

  /** The reservations as they stand, with what was captured of them late. */
  const show = async (holds: readonly HoldRecord[]) => {
    const expired = holds.filter(({ status }) => status === "expired").map(({ holdId }) => holdId);
    const rescued = await rescuedMinorOf(db, expired);
    const nowMs = Date.now();
    return holds.map((hold) => showReservation(hold, { nowMs, rescuedMinor: rescued.get(hold.holdId) ?? 0n }));
  };
  const showOne = async (holdId: string) => {
    const [shown] = await show([await acts.find(holdId)]);
    if (shown === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
    return shown;
  };
  const answerAct = async (context: ApiContext, holdId: string, { replayed }: ActResult) => {
    if (replayed) markReplayed(context);
    return context.json(await showOne(holdId), 200);
  };

  routes.add(
    placeReservationRoute,
    {
      access: SERVICES,
      idempotency: { route: "reservations", required: true, memory: "row" },
      problems: ["INVALID_AMOUNT", "INVALID_CURRENCY", "UNKNOWN_SERVICE", "INSUFFICIENT_FUNDS"],
    },
    async (context) => {
      const { id: reservationId } = readIdempotencyKey(context, "reservations");
      const body = context.req.valid("json");
      const currency = readCurrency(body.currency, settings.defaultCurrency);
      const amountMinor = readAmount(body.amount, currency);
      const ttlMs = readTtlMs(body, settings.reservationTtl);
      const { userId, serviceId, orderId } = body;
      const input: ReservationInput = {
        reservationId,
        userId,
        serviceId,
        orderId,
        currency,
        ttlMs,
        amountMinor: amountMinor.toString(),
        comment: body.comment ?? "reservation over HTTP",
        requestHash: hashOf([
          userId,
          serviceId,
          orderId,
          currency,
          amountMinor.toString(),
          body.ttlMs ?? (body.ttlSeconds === undefined ? null : ttlMs),
        ]),
        ...originOf(context),
        expiringMs: settings.reservationTtl.expiringMs,
      };
      const asOperation = holdOfReservation(input);
      context.header("location", reservationPath(reservationId));
      if (!(await wasDone(context, asOperation))) {
        const placed = await checkServices.during([{ serviceId, pointer: "/serviceId" }], () => starters.placeReservation(input));
        // No answer means that the workflow is over: what it did stands under its key.
        if (placed === undefined && !(await wasDone(context, asOperation))) throw new DomainError("UNAVAILABLE");
      }
      const hold = await acts.find(reservationId);
      if (hold.requestHash !== input.requestHash) throw new DomainError("IDEMPOTENCY_CONFLICT");
      return context.json(await showOne(reservationId), 201);
    },
  );

  routes.add(readReservationRoute, { access: OWN_DATA, problems: ["RESERVATION_NOT_FOUND"] }, async (context) => {
    const hold = await acts.find(context.req.valid("param").reservationId);
    requireOwn(context, hold.userId, "RESERVATION_NOT_FOUND");
    if (hold.status !== "held") return context.json(await showOne(hold.holdId), 200);
    const running = await withinOrNothing(starters.reservationStatus(hold.holdId), QUERY_DEADLINE_MS);
    return context.json(showReservation(hold, { nowMs: Date.now(), running }), 200);
  });

  routes.add(listReservationsRoute, { access: OWN_DATA, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { limit, cursor, userId: wantedUser, orderId, status } = context.req.valid("query");
    const only = onlyUserOf(context.get("principal"));
    // Of another user there is nothing to see, as of one who has no reservations.
    if (only !== undefined && wantedUser !== undefined && wantedUser !== only) return context.json({ reservations: [] }, 200);
    const userId = only ?? wantedUser;
    const rows = await listReservationHolds(db, {
      limit,
      ...(userId === undefined ? {} : { userId }),
      ...(orderId === undefined ? {} : { orderId }),
      ...(status === undefined ? {} : { status }),
      ...startOfPage(LIST, cursor),
    });
    const { page, nextCursor } = pageOf(rows, limit, LIST, ({ place }) => [place.createdAt, place.id]);
    return context.json({ reservations: await show(page.map(({ hold }) => hold)), nextCursor }, 200);
  });

  routes.add(
    confirmReservationRoute,
    {
      access: SERVICES,
      bodyOptional: true,
      idempotency: { route: "reservations/confirm", required: true, memory: "row" },
      problems: [...CLOSED_PROBLEMS, "INVALID_AMOUNT", "AMOUNT_EXCEEDS_HOLD", "PAUSED"],
    },
    async (context) => {
      const hold = await acts.find(context.req.valid("param").reservationId);
      const { amount } = context.req.valid("json");
      const amountMinor = amount === undefined ? undefined : readAmount(amount, hold.currency);
      return answerAct(context, hold.holdId, await acts.confirm(requestOf(context, "reservations/confirm"), hold, amountMinor));
    },
  );

  routes.add(
    releaseReservationRoute,
    {
      access: SERVICES,
      bodyOptional: true,
      idempotency: { route: "reservations/release", required: true, memory: "row" },
      problems: CLOSED_PROBLEMS,
    },
    async (context) => {
      const hold = await acts.find(context.req.valid("param").reservationId);
      return answerAct(context, hold.holdId, await acts.release(requestOf(context, "reservations/release"), hold));
    },
  );

  routes.add(
    extendReservationRoute,
    {
      access: SERVICES,
      idempotency: { route: "reservations/extend", required: true, memory: "row" },
      problems: CLOSED_PROBLEMS,
    },
    async (context) => {
      const hold = await acts.find(context.req.valid("param").reservationId);
      const body = context.req.valid("json");
      const ttlMs = readTtlMs(body, settings.reservationTtl);
      const latestMs = hold.createdAt.getTime() + settings.reservationTtl.maxMs;
      const newEnd = new Date(Date.now() + ttlMs);
      const request = requestOf(context, "reservations/extend");
      if (newEnd.getTime() > latestMs && hold.status === "held")
        throw new InvalidRequest([
          { pointer: pointerOf(body), message: `must not hold the money beyond ${new Date(latestMs).toISOString()}` },
        ]);
      return answerAct(context, hold.holdId, await acts.extend(request, hold, { ttlMs, newEnd }));
    },
  );

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
      const hold = await pickOnce(request, triple, currency);
      const amountMinor = amount === undefined ? undefined : readAmount(amount, hold.currency);
      return answerAct(context, hold.holdId, await acts.confirm(request, hold, amountMinor));
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
      const hold = await pickOnce(request, triple, currency);
      return answerAct(context, hold.holdId, await acts.release(request, hold));
    },
  );

  if (settings.testClock === true)
    routes.add(advanceReservationClockRoute, { access: SERVICES, problems: CLOSED_PROBLEMS }, async (context) => {
      const { holdId, status } = await acts.find(context.req.valid("param").reservationId);
      const code = closedReservationCode(status);
      if (code !== undefined) throw new DomainError(code);
      const { advanceMs } = context.req.valid("json");
      const state = await starters.advanceReservationClock(holdId, {
        requestKey: `test-clock:${randomUUID()}`,
        advanceMs,
        ...originOf(context),
      });
      if (state === undefined) throw new DomainError("UNAVAILABLE", "the reservation's workflow does not run");
      return context.json(await showOne(holdId), 200);
    });

  /** As `pick`, but a request that was decided before is about what it was about then, whatever was reserved since. */
  async function pickOnce(
    request: ReservationRequest,
    triple: { readonly userId: string; readonly serviceId: string; readonly orderId: string },
    currency: string | undefined,
  ): Promise<HoldRecord> {
    const known = await findHoldByOperation(db, request.key);
    if (known === undefined)
      return acts.pick(triple, currency === undefined ? undefined : readCurrency(currency, settings.defaultCurrency));
    const isSame = known.userId === triple.userId && known.serviceId === triple.serviceId && known.orderId === triple.orderId;
    if (!isSame || (currency ?? known.currency) !== known.currency) throw new DomainError("IDEMPOTENCY_CONFLICT");
    return known;
  }
}

function requestOf(context: ApiContext, route: string): ReservationRequest {
  const { key } = readIdempotencyKey(context, route);
  return { key, ...originOf(context) };
}

function readTtlMs(body: Lifetime, bounds: ApiSettings["reservationTtl"]): number {
  const ttlMs = body.ttlMs ?? (body.ttlSeconds === undefined ? bounds.defaultMs : body.ttlSeconds * 1_000);
  if (ttlMs >= bounds.minMs && ttlMs <= bounds.maxMs) return ttlMs;
  throw new InvalidRequest([{ pointer: pointerOf(body), message: `must be a time from ${bounds.minMs} ms to ${bounds.maxMs} ms` }]);
}

function pointerOf({ ttlMs }: Lifetime): string {
  return ttlMs === undefined ? "/ttlSeconds" : "/ttlMs";
}
