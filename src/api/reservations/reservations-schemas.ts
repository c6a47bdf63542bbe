import { createRoute, z } from "@hono/zod-openapi";
import { HOLD_STATUSES } from "../../contract/reservations.ts";
import {
  amountSchema,
  commentSchema,
  currencySchema,
  cursorSchema,
  decimalSchema,
  idSchema,
  idTextSchema,
  jsonOf,
  limitSchema,
  linksSchema,
  nextCursorSchema,
  timeSchema,
  userIdSchema,
  userIdTextSchema,
  wholeNumber,
} from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";

const MAX_TTL_MS = 2_592_000_000;

/** How long the money is to be held, in one of two units. */
export const lifetimeShape = { ttlSeconds: wholeNumber(1, MAX_TTL_MS / 1_000).optional(), ttlMs: wholeNumber(1, MAX_TTL_MS).optional() };

type Lifetime = { readonly ttlSeconds?: number | undefined; readonly ttlMs?: number | undefined };

/** The check that a lifetime stands in one unit, for `refine`. */
export const inOneUnit = [
  ({ ttlSeconds, ttlMs }: Lifetime) => ttlSeconds === undefined || ttlMs === undefined,
  { path: ["ttlMs"], message: "must not stand beside ttlSeconds" },
] satisfies [unknown, unknown];

export const reservationBodySchema = z
  .strictObject({
    userId: userIdSchema,
    serviceId: idSchema,
    orderId: idSchema,
    amount: amountSchema,
    currency: currencySchema.optional(),
    ...lifetimeShape,
    comment: commentSchema.optional(),
  })
  .refine(...inOneUnit)
  .openapi("NewReservation", { description: "An order may have several reservations, also for one service." });

export type ReservationBody = z.output<typeof reservationBodySchema>;

export const confirmBodySchema = z.strictObject({ amount: amountSchema.optional() }).openapi("ConfirmReservation", {
  description: "Without an amount all that is still held is confirmed. After a part the rest stays held.",
});

export const releaseBodySchema = z.strictObject({}).openapi("ReleaseReservation");

const matchShape = { userId: userIdSchema, serviceId: idSchema.optional(), orderId: idSchema, currency: currencySchema.optional() };

export const confirmMatchBodySchema = z
  .strictObject({ ...matchShape, amount: amountSchema.optional() })
  .refine(({ serviceId, amount }) => serviceId !== undefined || amount === undefined, {
    path: ["amount"],
    message: "must not stand without serviceId",
  })
  .openapi("ConfirmMatchingReservation");

export const releaseMatchBodySchema = z.strictObject(matchShape).openapi("ReleaseMatchingReservation");

export const extendBodySchema = z
  .strictObject(lifetimeShape)
  .refine(({ ttlSeconds, ttlMs }) => (ttlSeconds === undefined) !== (ttlMs === undefined), {
    path: ["ttlMs"],
    message: "or ttlSeconds must be given, and not both",
  })
  .openapi("ExtendReservation", { description: "How long the money is held from now on. An end that is later than that stays." });

export const advanceClockBodySchema = z.strictObject({ advanceMs: wholeNumber(1, MAX_TTL_MS) }).openapi("AdvanceReservationClock");

export const reservationParamsSchema = z.object({ reservationId: idTextSchema });

const filtersShape = {
  userId: userIdTextSchema.optional(),
  orderId: idTextSchema.optional(),
  status: z.enum(HOLD_STATUSES, `must be one of ${HOLD_STATUSES.join(", ")}`).optional(),
};

/** What the list of reservations can be filtered by: what a cursor keeps. Without a user and an order no index would serve it. */
export const reservationFiltersSchema = z
  .strictObject(filtersShape)
  .refine(({ userId, orderId }) => userId !== undefined || orderId !== undefined);

export const reservationQuerySchema = z
  .strictObject({ ...filtersShape, limit: limitSchema, cursor: cursorSchema.optional() })
  .refine(({ userId, orderId, cursor }) => userId !== undefined || orderId !== undefined || cursor !== undefined, {
    path: ["userId"],
    message: "or orderId must be given",
  });

export const reservationSchema = z
  .object({
    reservationId: z.string(),
    userId: z.string(),
    serviceId: z.string(),
    orderId: z.string(),
    status: z
      .enum(HOLD_STATUSES)
      .openapi({ description: "What became of the last part: confirmed, released or expired; held while something is left." }),
    currency: z.string(),
    amount: decimalSchema,
    confirmed: decimalSchema.openapi({ description: "Became revenue." }),
    released: decimalSchema.openapi({ description: "Went back to the user." }),
    held: decimalSchema.openapi({ description: "Is still set aside." }),
    rescued: z
      .literal(true)
      .optional()
      .openapi({ description: "It had expired and was confirmed within the grace time: the money was taken from the available balance." }),
    remainingSeconds: z
      .number()
      .int()
      .openapi({ description: "Whole seconds until what is held goes back by itself; 0 when nothing is held." }),
    expiresAt: timeSchema,
    comment: z.string(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    links: linksSchema,
  })
  .openapi("Reservation");

export const reservationListSchema = z
  .object({ reservations: z.array(reservationSchema), nextCursor: nextCursorSchema })
  .openapi("ReservationList");

const oneReservation = { content: { "application/json": { schema: reservationSchema } } };
const tags = ["reservations"];

export const placeReservationRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations",
  operationId: "placeReservation",
  tags,
  summary: "Set money aside for a while",
  description:
    "Without a time to live the configured one counts (RESERVATION_TTL_MS). Afterwards what is still held goes back by itself. A repeat answers the reservation as it stands.",
  request: { headers: idempotencyHeader, body: { required: true, ...jsonOf(reservationBodySchema) } },
  responses: { 201: { description: "The money is held.", ...oneReservation } },
});

export const readReservationRoute = createRoute({
  method: "get",
  path: "/api/v1/reservations/{reservationId}",
  operationId: "getReservation",
  tags,
  summary: "One reservation and the seconds it has left",
  request: { params: reservationParamsSchema },
  responses: { 200: { description: "The reservation.", ...oneReservation } },
});

export const listReservationsRoute = createRoute({
  method: "get",
  path: "/api/v1/reservations",
  operationId: "listReservations",
  tags,
  summary: "Reservations of a user or of an order, newest first, page by page",
  description: "The cursor keeps the filters: the next page needs only the cursor.",
  request: { query: reservationQuerySchema },
  responses: { 200: { description: "A page.", ...jsonOf(reservationListSchema) } },
});

export const confirmReservationRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations/{reservationId}/confirm",
  operationId: "confirmReservation",
  tags,
  summary: "Recognise held money as revenue, all or a part",
  description:
    "One that expired is rescued within RESERVATION_GRACE_MS: the money is taken from the available balance, once, and the answer says `rescued`.",
  request: { params: reservationParamsSchema, headers: idempotencyHeader, body: jsonOf(confirmBodySchema) },
  responses: { 200: { description: "It was confirmed.", ...oneReservation } },
});

export const releaseReservationRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations/{reservationId}/release",
  operationId: "releaseReservation",
  tags,
  summary: "Give back what is still held",
  request: { params: reservationParamsSchema, headers: idempotencyHeader, body: jsonOf(releaseBodySchema) },
  responses: { 200: { description: "It was released.", ...oneReservation } },
});

export const extendReservationRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations/{reservationId}/extend",
  operationId: "extendReservation",
  tags,
  summary: "Hold the money longer",
  description: "From now on for the time that is given, at most RESERVATION_TTL_MAX_MS from the creation on; never shorter than before.",
  request: { params: reservationParamsSchema, headers: idempotencyHeader, body: { required: true, ...jsonOf(extendBodySchema) } },
  responses: { 200: { description: "It is held until `expiresAt`.", ...oneReservation } },
});

export const advanceReservationClockRoute = createRoute({
  method: "post",
  path: "/api/v1/test-clock/reservations/{reservationId}",
  operationId: "advanceReservationClock",
  tags: ["test clock"],
  summary: "Bring the end of a reservation nearer, to test what happens then",
  description:
    "Not available in production. Everything that is due in between happens: `reservation.expiring` is sent, and past its end the money goes back.",
  request: { params: reservationParamsSchema, body: { required: true, ...jsonOf(advanceClockBodySchema) } },
  responses: { 200: { description: "The end is `advanceMs` nearer.", ...oneReservation } },
});
