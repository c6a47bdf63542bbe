import type { z } from "@hono/zod-openapi";
import { formatAmount } from "../../base/money.ts";
import { remainingSeconds, type ReservationStatus } from "../../contract/reservations.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";
import type { reservationSchema } from "./reservations-schemas.ts";

/** Where a reservation is found. */
export function reservationPath(reservationId: string): string {
  return `/api/v1/reservations/${encodeURIComponent(reservationId)}`;
}

/**
 * A reservation as it is answered. The row and the running workflow may each be a moment behind the other: what has moved more is
 * newer. What was captured late of an expired one is shown as confirmed and not as given back.
 */
export function showReservation(
  hold: HoldRecord,
  {
    nowMs,
    running,
    rescuedMinor = 0n,
  }: { readonly nowMs: number; readonly running?: ReservationStatus | undefined; readonly rescuedMinor?: bigint },
): z.infer<typeof reservationSchema> {
  const text = (amountMinor: bigint) => formatAmount(amountMinor, hold.currency);
  const ofRunning =
    running === undefined
      ? undefined
      : { capturedMinor: BigInt(running.capturedMinor), releasedMinor: BigInt(running.releasedMinor), status: running.status };
  const newest =
    ofRunning !== undefined && ofRunning.capturedMinor + ofRunning.releasedMinor >= hold.capturedMinor + hold.releasedMinor
      ? ofRunning
      : hold;
  const heldMinor = hold.amountMinor - newest.capturedMinor - newest.releasedMinor;
  const expiresAt = running?.expiresAt ?? hold.expiresAt.toISOString();
  const isRescued = rescuedMinor > 0n;
  return {
    reservationId: hold.holdId,
    userId: hold.userId,
    serviceId: hold.serviceId,
    orderId: hold.orderId,
    status: isRescued ? "confirmed" : newest.status,
    currency: hold.currency,
    amount: text(hold.amountMinor),
    confirmed: text(newest.capturedMinor + rescuedMinor),
    released: text(newest.releasedMinor - rescuedMinor),
    held: text(heldMinor),
    ...(isRescued ? { rescued: true } : {}),
    remainingSeconds: remainingSeconds({ status: newest.status, expiresAt }, nowMs),
    expiresAt,
    comment: hold.comment,
    createdAt: hold.createdAt.toISOString(),
    updatedAt: hold.updatedAt.toISOString(),
    links: { self: reservationPath(hold.holdId) },
  };
}
