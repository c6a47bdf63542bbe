import { DomainError } from "../../base/errors.ts";
import type { ReservationInput } from "../../contract/reservations.ts";
import type { Starters } from "../../starters/index.ts";
import { findDecided, type Decision } from "../../store/ledger/find-decided.ts";
import type { Db } from "../../store/postgres/database.ts";
import { getHold, type HoldRecord } from "../../store/reservations/holds.ts";
import { holdOfReservation } from "./hold-of-reservation.ts";

/** What the ledger decided about the hold. `replayed` is true when it was decided before this request. */
export interface PlacedReservation {
  readonly decision: Decision;
  readonly replayed: boolean;
  /** The hold's row, where it was read for the decision. */
  readonly hold?: HoldRecord;
}

interface Parts {
  readonly db: Db;
  readonly starters: Pick<Starters, "placeReservation">;
  /** Runs the start of a new reservation, where its service has to be sold meanwhile. */
  readonly whileSold?: <Result>(start: () => Promise<Result>) => Promise<Result>;
}

/**
 * Holds the money by a `reservation` workflow. The workflow may be another request's and its answer may be lost, so what the ledger
 * decided under the hold's key is the answer, and not how the start went.
 * Safe to retry: the reservation's id decides.
 * Throws: what the start threw when nothing was decided; UNAVAILABLE when its workflow ended without a decision; DEADLINE_EXCEEDED.
 */
export async function placeReservation({ db, starters, whileSold }: Parts, input: ReservationInput): Promise<PlacedReservation> {
  const operation = holdOfReservation(input);
  const known = await findDecided(db, operation);
  if (known !== undefined) return { decision: known, replayed: true };

  let failure: unknown;
  let answered = true;
  const start = async () => {
    try {
      answered = (await starters.placeReservation(input)) !== undefined;
    } catch (error) {
      failure = error;
    }
  };
  await (whileSold === undefined ? start() : whileSold(start));
  // The workflow says that the money is held. The row of the hold says whether that is this request's hold.
  const hold = answered && failure === undefined ? await getHold(db, input.reservationId) : undefined;
  if (hold?.requestHash === input.requestHash) return { decision: { outcome: "done" }, replayed: false, hold };
  const decision = await findDecided(db, operation).catch((error: unknown) => {
    // The workflow's own refusal is an answer also where the ledger cannot be asked.
    throw failure ?? error;
  });
  if (decision === undefined) throw failure ?? new DomainError("UNAVAILABLE");
  return { decision, replayed: !answered };
}
