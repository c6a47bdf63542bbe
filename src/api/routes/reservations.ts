import { createRoute } from "@hono/zod-openapi";
import { reservationWorkflowId, stepKey } from "../../contract/ids.ts";
import type { ReservationInput } from "../../contract/reservations.ts";
import { captureHoldOperation, placeHoldOperation, releaseHoldOperation } from "../../domain/hold-operations.ts";
import { contentHash, type Operation } from "../../domain/operations.ts";
import { DomainError } from "../../errors.ts";
import { listReservationHolds } from "../../store/hold-list.ts";
import { getHold, type HoldRecord } from "../../store/holds.ts";
import { findOperation } from "../../store/operations.ts";
import { SERVICES } from "../access.ts";
import { addRoute } from "../add-route.ts";
import type { Api, ApiContext, ApiDeps } from "../api-env.ts";
import { decodeCursor, encodeCursor, ID_SHAPE, TIME_SHAPE } from "../cursor.ts";
import { InvalidRequest } from "../error-handler.ts";
import { hashOf, idempotencyHeader, markReplayed, readIdempotencyKey } from "../idempotency.ts";
import type { CheckServices } from "../known-services.ts";
import { postOnLedger } from "../post-on-ledger.ts";
import { quickly } from "../quickly.ts";
import { readAmount, readCurrency } from "../read-money.ts";
import {
  confirmBodySchema,
  releaseBodySchema,
  reservationBodySchema,
  reservationListSchema,
  reservationParamsSchema,
  reservationQuerySchema,
  reservationSchema,
} from "../schemas/reservations.ts";
import { reservationPath, showReservation } from "../show-reservation.ts";

const oneReservation = { content: { "application/json": { schema: reservationSchema } } };

const placeRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations",
  operationId: "placeReservation",
  tags: ["reservations"],
  summary: "Set money aside for a while",
  description:
    "Without a time to live the configured one counts (RESERVATION_TTL_MS). Afterwards what is still held goes back by itself. A repeat answers the reservation as it stands.",
  request: { headers: idempotencyHeader, body: { required: true, content: { "application/json": { schema: reservationBodySchema } } } },
  responses: { 201: { description: "The money is held.", ...oneReservation } },
});

const readRoute = createRoute({
  method: "get",
  path: "/api/v1/reservations/{reservationId}",
  operationId: "getReservation",
  tags: ["reservations"],
  summary: "One reservation and the seconds it has left",
  request: { params: reservationParamsSchema },
  responses: { 200: { description: "The reservation.", ...oneReservation } },
});

const listRoute = createRoute({
  method: "get",
  path: "/api/v1/reservations",
  operationId: "listReservations",
  tags: ["reservations"],
  summary: "Reservations of a user or of an order, newest first, page by page",
  request: { query: reservationQuerySchema },
  responses: { 200: { description: "A page.", content: { "application/json": { schema: reservationListSchema } } } },
});

const confirmRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations/{reservationId}/confirm",
  operationId: "confirmReservation",
  tags: ["reservations"],
  summary: "Recognise held money as revenue, all or a part",
  request: {
    params: reservationParamsSchema,
    headers: idempotencyHeader,
    body: { content: { "application/json": { schema: confirmBodySchema } } },
  },
  responses: { 200: { description: "It was confirmed.", ...oneReservation } },
});

const releaseRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations/{reservationId}/release",
  operationId: "releaseReservation",
  tags: ["reservations"],
  summary: "Give back what is still held",
  request: {
    params: reservationParamsSchema,
    headers: idempotencyHeader,
    body: { content: { "application/json": { schema: releaseBodySchema } } },
  },
  responses: { 200: { description: "It was released.", ...oneReservation } },
});

const OUTAGES = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;
const KEY_PROBLEMS = ["IDEMPOTENCY_KEY_REQUIRED", "INVALID_IDEMPOTENCY_KEY", "IDEMPOTENCY_CONFLICT"] as const;
const CLOSED_PROBLEMS = ["RESERVATION_NOT_FOUND", "ALREADY_CONFIRMED", "ALREADY_RELEASED", "RESERVATION_EXPIRED"] as const;
const QUERY_DEADLINE_MS = 1_000;

/**
 * Reservations. The workflow keeps the time; the hold's row decides every race, so a request that meets a closed workflow is
 * put to the ledger under the same key and learns there what became of the money.
 */
export function addReservationRoutes(api: Api, deps: ApiDeps, checkServices: CheckServices): void {
  const { db, ledger, starters, settings } = deps;
  const { maxBodyBytes } = settings;

  const readHold = async (reservationId: string): Promise<HoldRecord> => {
    const hold = await getHold(db, reservationId);
    if (hold === undefined || hold.purpose !== "reservation") throw new DomainError("RESERVATION_NOT_FOUND");
    return hold;
  };

  /** True when the operation was done under its key before. Throws: the code it was refused with; IDEMPOTENCY_CONFLICT. */
  const wasDone = async (context: ApiContext, operation: Operation): Promise<boolean> => {
    const known = await findOperation(db, operation.key);
    if (known === undefined) return false;
    if (known.contentHash !== contentHash(operation)) throw new DomainError("IDEMPOTENCY_CONFLICT");
    markReplayed(context);
    if (known.refusalCode !== undefined) throw new DomainError(known.refusalCode);
    return true;
  };

  addRoute(
    api,
    placeRoute,
    {
      access: SERVICES,
      maxBodyBytes,
      problems: [...KEY_PROBLEMS, "INVALID_AMOUNT", "INVALID_CURRENCY", "UNKNOWN_SERVICE", "INSUFFICIENT_FUNDS", ...OUTAGES],
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
        correlationId: context.get("correlationId"),
        caller: context.get("caller"),
      };
      const asOperation = placeHoldOperation({
        ...input,
        amountMinor,
        holdId: reservationId,
        expiresAt: "",
        key: stepKey(reservationWorkflowId(reservationId), "hold"),
        origin: input,
      });
      context.header("location", reservationPath(reservationId));
      if (!(await wasDone(context, asOperation))) {
        await checkServices([{ serviceId, pointer: "/serviceId" }]);
        // No answer means that the workflow is over: what it did stands under its key.
        if ((await starters.placeReservation(input)) === undefined && !(await wasDone(context, asOperation)))
          throw new DomainError("UNAVAILABLE");
      }
      const hold = await readHold(reservationId);
      if (hold.requestHash !== input.requestHash) throw new DomainError("IDEMPOTENCY_CONFLICT");
      return context.json(showReservation(hold, Date.now()), 201);
    },
  );

  addRoute(api, readRoute, { access: SERVICES, maxBodyBytes, problems: ["RESERVATION_NOT_FOUND", ...OUTAGES] }, async (context) => {
    const hold = await readHold(context.req.valid("param").reservationId);
    const running = hold.status === "held" ? await quickly(starters.reservationStatus(hold.holdId), QUERY_DEADLINE_MS) : undefined;
    return context.json(showReservation(hold, Date.now(), running), 200);
  });

  addRoute(api, listRoute, { access: SERVICES, maxBodyBytes, problems: ["INVALID_CURSOR", ...OUTAGES] }, async (context) => {
    const { limit, cursor, userId, orderId, status } = context.req.valid("query");
    const [createdAt, id] = cursor === undefined ? [] : decodeCursor("reservations", cursor, [TIME_SHAPE, ID_SHAPE]);
    const rows = await listReservationHolds(db, {
      limit,
      ...(userId === undefined ? {} : { userId }),
      ...(orderId === undefined ? {} : { orderId }),
      ...(status === undefined ? {} : { status }),
      ...(createdAt === undefined || id === undefined ? {} : { after: { createdAt, id } }),
    });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const next =
      rows.length > limit && last !== undefined ? { nextCursor: encodeCursor("reservations", [last.place.createdAt, last.place.id]) } : {};
    return context.json({ reservations: page.map(({ hold }) => showReservation(hold, Date.now())), ...next }, 200);
  });

  addRoute(
    api,
    confirmRoute,
    {
      access: SERVICES,
      maxBodyBytes,
      bodyOptional: true,
      problems: [...KEY_PROBLEMS, ...CLOSED_PROBLEMS, "INVALID_AMOUNT", "AMOUNT_EXCEEDS_HOLD", ...OUTAGES],
    },
    async (context) => {
      const { key } = readIdempotencyKey(context, "reservations/confirm");
      const hold = await readHold(context.req.valid("param").reservationId);
      const { amount } = context.req.valid("json");
      const amountMinor = amount === undefined ? undefined : readAmount(amount, hold.currency);
      const operation = captureHoldOperation({
        ...requestOn(hold, key, context),
        comment: "confirmed over HTTP",
        amountMinor: amountMinor ?? "remainder",
      });
      if (!(await wasDone(context, operation))) {
        const state = await starters.confirmReservation(hold.holdId, {
          requestKey: key,
          ...(amountMinor === undefined ? {} : { amountMinor: amountMinor.toString() }),
        });
        if (state === undefined) await postOnLedger(ledger, operation);
      }
      return context.json(showReservation(await readHold(hold.holdId), Date.now()), 200);
    },
  );

  addRoute(
    api,
    releaseRoute,
    { access: SERVICES, maxBodyBytes, bodyOptional: true, problems: [...KEY_PROBLEMS, ...CLOSED_PROBLEMS, ...OUTAGES] },
    async (context) => {
      const { key } = readIdempotencyKey(context, "reservations/release");
      const hold = await readHold(context.req.valid("param").reservationId);
      const operation = releaseHoldOperation({ ...requestOn(hold, key, context), comment: "released over HTTP", effect: "release" });
      if (!(await wasDone(context, operation))) {
        const state = await starters.releaseReservation(hold.holdId, { requestKey: key });
        if (state === undefined) await postOnLedger(ledger, operation);
      }
      return context.json(showReservation(await readHold(hold.holdId), Date.now()), 200);
    },
  );
}

function requestOn(hold: HoldRecord, key: string, context: ApiContext) {
  const { holdId, userId, serviceId, orderId, currency } = hold;
  const origin = { caller: context.get("caller"), correlationId: context.get("correlationId"), workflowId: reservationWorkflowId(holdId) };
  return { key, holdId, userId, serviceId, orderId, currency, origin };
}

function readTtlMs(
  body: { readonly ttlMs?: number | undefined; readonly ttlSeconds?: number | undefined },
  bounds: { readonly defaultMs: number; readonly minMs: number; readonly maxMs: number },
): number {
  const ttlMs = body.ttlMs ?? (body.ttlSeconds === undefined ? bounds.defaultMs : body.ttlSeconds * 1_000);
  if (ttlMs >= bounds.minMs && ttlMs <= bounds.maxMs) return ttlMs;
  const pointer = body.ttlMs === undefined ? "/ttlSeconds" : "/ttlMs";
  throw new InvalidRequest([{ pointer, message: `must be a time from ${bounds.minMs} ms to ${bounds.maxMs} ms` }]);
}
