import { createRoute, z } from "@hono/zod-openapi";
import {
  amountSchema,
  commentSchema,
  currencySchema,
  decimalSchema,
  idSchema,
  jsonOf,
  linksSchema,
  userIdSchema,
} from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";
import { confirmMatchBodySchema, inOneUnit, lifetimeShape, releaseMatchBodySchema, reservationSchema } from "./reservations-schemas.ts";

const MAX_LINES = 100;

export const reservationLinesBodySchema = z
  .strictObject({
    userId: userIdSchema,
    orderId: idSchema,
    lines: z
      .array(z.strictObject({ serviceId: idSchema, amount: amountSchema }))
      .min(1, "must name at least one line")
      .max(MAX_LINES, `must name at most ${MAX_LINES} lines`),
    currency: currencySchema.optional(),
    ...lifetimeShape,
    comment: commentSchema.optional(),
  })
  .refine(...inOneUnit)
  .openapi("NewReservationLines", { description: "Each line becomes a reservation of its own; all have the same end." });

export type ReservationLinesBody = z.output<typeof reservationLinesBodySchema>;

const reservationLineSchema = reservationSchema
  .extend({
    outcome: z.enum(["done", "refused", "undecided"]).optional().openapi({
      description:
        "What became of it by this request: undecided when the same request with the same key goes on with it. Absent where the request was not about it.",
    }),
    code: z.string().optional().openapi({ description: "Why it is refused or undecided.", example: "ALREADY_RELEASED" }),
  })
  .openapi("ReservationLine");

export const reservationLinesSchema = z
  .object({
    userId: z.string(),
    orderId: z.string(),
    totals: z
      .array(
        z.object({
          currency: z.string(),
          amount: decimalSchema,
          confirmed: decimalSchema,
          released: decimalSchema,
          held: decimalSchema,
        }),
      )
      .openapi({ description: "The sums of the lines, one for each currency." }),
    lines: z.array(reservationLineSchema),
    links: linksSchema,
  })
  .openapi("ReservationLines");

const oneOrAll = { content: { "application/json": { schema: z.union([reservationSchema, reservationLinesSchema]) } } };
const tags = ["reservations"];

export const placeReservationLinesRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations/lines",
  operationId: "placeReservationLines",
  tags,
  summary: "Set money aside for several lines of an order, all or none",
  description:
    "The sum is compared with what is available first. When a line is refused all the same, the lines that are held go back before the refusal is answered. A repeat with the same key goes on where an earlier request stopped.",
  request: { headers: idempotencyHeader, body: { required: true, ...jsonOf(reservationLinesBodySchema) } },
  responses: { 201: { description: "All lines are held.", ...jsonOf(reservationLinesSchema) } },
});

const MATCH =
  "With `serviceId` exactly one must be open: when several are, the problem names their ids; when none is, it says what became of the newest. Without `serviceId` every held reservation of the user and order is meant; when not all went through, the problem's `order` tells the outcome of each.";

export const confirmMatchRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations/confirm",
  operationId: "confirmMatchingReservation",
  tags,
  summary: "Confirm the open reservation of a user, service and order, or all of an order",
  description: MATCH,
  request: { headers: idempotencyHeader, body: { required: true, ...jsonOf(confirmMatchBodySchema) } },
  responses: { 200: { description: "It was confirmed, or all were.", ...oneOrAll } },
});

export const releaseMatchRoute = createRoute({
  method: "post",
  path: "/api/v1/reservations/release",
  operationId: "releaseMatchingReservation",
  tags,
  summary: "Release the open reservation of a user, service and order, or all of an order",
  description: MATCH,
  request: { headers: idempotencyHeader, body: { required: true, ...jsonOf(releaseMatchBodySchema) } },
  responses: { 200: { description: "It was released, or all were.", ...oneOrAll } },
});
