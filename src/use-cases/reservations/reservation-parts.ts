import type { Ledger } from "../../store/ledger/ledger.ts";
import { createPauseCheck } from "../../store/operators/pauses.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { ReservationParts } from "./reservation-request.ts";

/** The parts that the acts on reservations share. Their check of pauses remembers the list for 200 ms, so one is enough for a process. */
export function createReservationParts(deps: {
  readonly db: Db;
  readonly ledger: Ledger;
  readonly starters: ReservationParts["starters"];
  readonly settings: { readonly reservationTtl: { readonly graceMs: number } };
}): ReservationParts {
  const { db, ledger, starters, settings } = deps;
  return { db, ledger, starters, pausedFor: createPauseCheck(db), graceMs: settings.reservationTtl.graceMs };
}
