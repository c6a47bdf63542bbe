import { DomainError } from "../../base/errors.ts";
import type { Db } from "../../store/postgres/database.ts";
import { findHoldsOf, type HoldTriple } from "../../store/reservations/hold-matches.ts";
import { rescuedMinorOf } from "../../store/reservations/hold-rescues.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";

/** A hold as the earlier service's paths see it, which know a reservation by its user, service and order. `paidMinor` is what was captured of it in time and after its end. */
export interface TripleHold extends HoldRecord {
  readonly paidMinor: bigint;
}

/** What stands for a triple: money that is held, or a purchase that was made of it. What was released or has expired is nothing. */
export interface TripleReserve {
  readonly hold: TripleHold;
  readonly purchased: boolean;
  /** What is still held, or what was paid. */
  readonly amountMinor: bigint;
}

/** The clients' holds of a triple in this currency, newest first. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function tripleHoldsOf(db: Db, triple: HoldTriple, currency: string): Promise<TripleHold[]> {
  const holds = (await findHoldsOf(db, { ...triple, purpose: "reservation" })).filter((hold) => hold.currency === currency);
  const expired = holds.filter(({ status }) => status === "expired").map(({ holdId }) => holdId);
  const rescued = expired.length === 0 ? undefined : await rescuedMinorOf(db, expired);
  return holds.map((hold) => withRescued(hold, rescued?.get(hold.holdId) ?? 0n));
}

function withRescued(hold: HoldRecord, rescuedMinor: bigint): TripleHold {
  return { ...hold, paidMinor: hold.capturedMinor + rescuedMinor };
}

/**
 * The one open reservation among the holds of a triple, else the newest purchase, else undefined.
 * Throws: AMBIGUOUS with the ids when several are open, which only the canonical interface or an Idempotency-Key can bring about.
 */
export function reserveAmong(holds: readonly TripleHold[]): TripleReserve | undefined {
  const open = holds.filter(({ status }) => status === "held");
  const [hold] = open;
  if (open.length > 1) throw new DomainError("AMBIGUOUS", `several reservations match: ${open.map(({ holdId }) => holdId).join(", ")}`);
  if (hold !== undefined) return { hold, purchased: false, amountMinor: hold.amountMinor - hold.capturedMinor - hold.releasedMinor };
  const bought = holds.find(({ paidMinor }) => paidMinor > 0n);
  return bought === undefined ? undefined : { hold: bought, purchased: true, amountMinor: bought.paidMinor };
}

/**
 * The open reservation of a triple with exactly this amount.
 * Throws: RESERVATION_NOT_FOUND, ALREADY_CONFIRMED, AMOUNT_EXCEEDS_HOLD when the amount is another, AMBIGUOUS.
 */
export function openReserveAmong(holds: readonly TripleHold[], amountMinor: bigint): TripleHold {
  const reserve = reserveAmong(holds);
  if (reserve === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
  if (reserve.purchased) throw new DomainError("ALREADY_CONFIRMED");
  if (reserve.amountMinor !== amountMinor) throw new DomainError("AMOUNT_EXCEEDS_HOLD");
  return reserve.hold;
}
