import type { ErrorCode } from "../../base/errors.ts";
import type { HoldStatus } from "../../contract/reservations.ts";

const REFUSAL_OF: Readonly<Record<Exclude<HoldStatus, "held">, ErrorCode>> = {
  confirmed: "ALREADY_CONFIRMED",
  released: "ALREADY_RELEASED",
  expired: "RESERVATION_EXPIRED",
};

/** The code that a closed reservation answers to every further wish; undefined while it is held. */
export function closedReservationCode(status: HoldStatus): ErrorCode | undefined {
  return status === "held" ? undefined : REFUSAL_OF[status];
}

const CLOSED_CODES: ReadonlySet<ErrorCode> = new Set(Object.values(REFUSAL_OF));

/** True for the codes that say how a reservation was closed. */
export function isClosedCode(code: ErrorCode): boolean {
  return CLOSED_CODES.has(code);
}
