import type { z } from "@hono/zod-openapi";
import { DomainError } from "../../base/errors.ts";
import { formatAmount } from "../../base/money.ts";
import { remainingSeconds, type ReservationStatus } from "../../contract/reservations.ts";
import { moneyOfHold, type ReservationMoney } from "../../domain/reservations/line-totals.ts";
import type { Db } from "../../store/postgres/database.ts";
import { rescuedMinorOf } from "../../store/reservations/hold-rescues.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";
import { findReservation } from "../../use-cases/reservations/find-reservation.ts";
import type { reservationSchema } from "./reservations-schemas.ts";

type ShownReservation = z.infer<typeof reservationSchema>;

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
): ShownReservation {
  const ofRunning =
    running === undefined
      ? undefined
      : { capturedMinor: BigInt(running.capturedMinor), releasedMinor: BigInt(running.releasedMinor), status: running.status };
  const newest =
    ofRunning !== undefined && ofRunning.capturedMinor + ofRunning.releasedMinor >= hold.capturedMinor + hold.releasedMinor
      ? ofRunning
      : hold;
  const { currency } = hold;
  const expiresAt = running?.expiresAt ?? hold.expiresAt.toISOString();
  const isRescued = rescuedMinor > 0n;
  return {
    reservationId: hold.holdId,
    userId: hold.userId,
    serviceId: hold.serviceId,
    orderId: hold.orderId,
    status: isRescued ? "confirmed" : newest.status,
    ...showReservationMoney(
      moneyOfHold(
        { currency, amountMinor: hold.amountMinor, capturedMinor: newest.capturedMinor, releasedMinor: newest.releasedMinor },
        rescuedMinor,
      ),
    ),
    ...(isRescued ? { rescued: true } : {}),
    remainingSeconds: remainingSeconds({ status: newest.status, expiresAt }, nowMs),
    expiresAt,
    comment: hold.comment,
    createdAt: hold.createdAt.toISOString(),
    updatedAt: hold.updatedAt.toISOString(),
    links: { self: reservationPath(hold.holdId) },
  };
}

/** Where the money of a reservation, or of several together, is. */
export function showReservationMoney({ currency, amountMinor, confirmedMinor, releasedMinor, heldMinor }: ReservationMoney) {
  const text = (minor: bigint) => formatAmount(minor, currency);
  return { currency, amount: text(amountMinor), confirmed: text(confirmedMinor), released: text(releasedMinor), held: text(heldMinor) };
}

/** What was captured late of each of these reservations, in minor units; only an expired one has any. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function rescuesOf(db: Db, holds: readonly HoldRecord[]): Promise<(hold: HoldRecord) => bigint> {
  const expired = holds.filter(({ status }) => status === "expired").map(({ holdId }) => holdId);
  const rescued = await rescuedMinorOf(db, expired);
  return ({ holdId }) => rescued.get(holdId) ?? 0n;
}

/** The reservations as they stand, with what was captured of them late. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function showReservations(db: Db, holds: readonly HoldRecord[]): Promise<ShownReservation[]> {
  const rescuedOf = await rescuesOf(db, holds);
  const nowMs = Date.now();
  return holds.map((hold) => showReservation(hold, { nowMs, rescuedMinor: rescuedOf(hold) }));
}

/** As `showReservations`, for one by its id. Throws: RESERVATION_NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function showReservationById(db: Db, reservationId: string): Promise<ShownReservation> {
  const [shown] = await showReservations(db, [await findReservation(db, reservationId)]);
  if (shown === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
  return shown;
}
