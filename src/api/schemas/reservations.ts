import { z } from "@hono/zod-openapi";
import { HOLD_STATUSES } from "../../contract/reservations.ts";
import {
  amountSchema,
  commentSchema,
  currencySchema,
  cursorSchema,
  decimalSchema,
  idSchema,
  idTextSchema,
  limitSchema,
  linksSchema,
  nextCursorSchema,
  timeSchema,
  wholeNumber,
} from "./common.ts";

const MAX_TTL_MS = 2_592_000_000;

export const reservationBodySchema = z
  .strictObject({
    userId: idSchema,
    serviceId: idSchema,
    orderId: idSchema,
    amount: amountSchema,
    currency: currencySchema.optional(),
    ttlSeconds: wholeNumber(1, MAX_TTL_MS / 1_000).optional(),
    ttlMs: wholeNumber(1, MAX_TTL_MS).optional(),
    comment: commentSchema.optional(),
  })
  .refine(({ ttlSeconds, ttlMs }) => ttlSeconds === undefined || ttlMs === undefined, {
    path: ["ttlMs"],
    message: "must not stand beside ttlSeconds",
  })
  .openapi("NewReservation", { description: "An order may have several reservations, also for one service." });

export const confirmBodySchema = z.strictObject({ amount: amountSchema.optional() }).openapi("ConfirmReservation", {
  description: "Without an amount all that is still held is confirmed. After a part the rest stays held.",
});

export const releaseBodySchema = z.strictObject({}).openapi("ReleaseReservation");

export const reservationParamsSchema = z.object({ reservationId: idTextSchema });

export const reservationQuerySchema = z
  .strictObject({
    userId: idTextSchema.optional(),
    orderId: idTextSchema.optional(),
    status: z.enum(HOLD_STATUSES, `must be one of ${HOLD_STATUSES.join(", ")}`).optional(),
    limit: limitSchema,
    cursor: cursorSchema.optional(),
  })
  .refine(({ userId, orderId }) => userId !== undefined || orderId !== undefined, {
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
      .openapi({ description: "How the last part left: confirmed, released or expired; held while something is left." }),
    currency: z.string(),
    amount: decimalSchema,
    confirmed: decimalSchema.openapi({ description: "Became revenue." }),
    released: decimalSchema.openapi({ description: "Went back to the user." }),
    held: decimalSchema.openapi({ description: "Is still set aside." }),
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
