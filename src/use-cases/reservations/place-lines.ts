import { codeOf, DomainError, ERROR_CATALOGUE, type ErrorCode } from "../../base/errors.ts";
import { inWords } from "../../base/money.ts";
import { sideBySide } from "../../base/side-by-side.ts";
import { undoneLineKey } from "../../contract/ids.ts";
import type { ReservationInput } from "../../contract/reservations.ts";
import { closedReservationCode, isClosedCode } from "../../domain/reservations/reservation-states.ts";
import type { Starters } from "../../starters/index.ts";
import { readBalances } from "../../store/ledger/balances.ts";
import { findDecided, type Decision } from "../../store/ledger/find-decided.ts";
import { getHolds } from "../../store/reservations/hold-lines.ts";
import { holdOfReservation } from "./hold-of-reservation.ts";
import { placeReservation } from "./place-reservation.ts";
import { releaseReservation } from "./release-reservation.ts";
import type { ActResult, ReservationParts } from "./reservation-request.ts";

/** How many lines of a request are placed, released or asked for at a time: a request leaves room on the lanes for others. */
export const LINES_AT_ONCE = 8;

/** A line of a request, numbered from 1. */
export interface PlacedLine {
  readonly lineNo: number;
  readonly input: ReservationInput;
}

interface Deps {
  readonly parts: ReservationParts;
  readonly starters: Pick<Starters, "placeReservation">;
  /** Runs the start of new lines, where their services have to be sold meanwhile. Throws: UNKNOWN_SERVICE. */
  readonly whileSold: (lines: readonly PlacedLine[], start: () => Promise<Placing>) => Promise<Placing>;
}

type Holds = Awaited<ReturnType<typeof getHolds>>;
const NO_HOLDS: Holds = new Map();

/** How placing went: what a line was refused with, and what went wrong without telling whether a line is held. */
interface Placing {
  readonly refusal?: DomainError;
  readonly failure?: unknown;
}

/**
 * Holds the money of all lines of an order, each as a reservation of its own, or of none. The sum is compared with what is available
 * first; when a line is refused all the same, the lines that are held are given back before the refusal is answered.
 *
 * The lines are of one user and currency and have one end, and each has the hash of the whole request. The first line is decided before the others are begun: it
 * stands for the key, so that other content under the same key meets it and nothing else.
 * Safe to retry: the lines' ids decide. A repeat goes on where an earlier request stopped, and has the end of its lines.
 * Throws: INSUFFICIENT_FUNDS, UNKNOWN_SERVICE; ALREADY_CONFIRMED, ALREADY_RELEASED or RESERVATION_EXPIRED when a line of an earlier, unfinished
 * request is not held any more; IDEMPOTENCY_CONFLICT; UNAVAILABLE, DEADLINE_EXCEEDED, after which a repeat goes on.
 */
export async function placeLines(deps: Deps, lines: readonly [PlacedLine, ...PlacedLine[]]): Promise<ActResult> {
  const { db } = deps.parts;
  const [first] = lines;
  // Read before the decisions: what another request with this key has taken since must not be missing here.
  const availableMinor = await availableTo(deps, first.input);
  const begun = await findDecided(db, holdOfReservation(first.input));
  if (begun?.outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
  const decided = begun === undefined ? new Map<number, Decision>() : await decisionsOf(deps, lines);
  const missing = lines.filter(({ lineNo }) => !decided.has(lineNo));
  const holds = begun === undefined || missing.length === 0 ? NO_HOLDS : await holdsOf(deps, lines);
  const known = begun === undefined ? undefined : refusalAmong(lines, decided, holds);
  if (known === undefined && missing.length === 0) return { replayed: true };

  const { refusal, failure } =
    known === undefined ? await place(deps, lines, { missing, availableMinor, begun, holds }) : { refusal: known };
  if (refusal !== undefined) await giveBack(deps, lines);
  // A repeat learns what became of the line that is not known, and the refusal.
  if (failure !== undefined) throw failure;
  if (refusal !== undefined) throw refusal;
  return { replayed: false };
}

async function holdsOf({ parts }: Deps, lines: readonly PlacedLine[]): Promise<Holds> {
  return await getHolds(
    parts.db,
    lines.map(({ input }) => input.reservationId),
  );
}

async function availableTo({ parts }: Deps, { userId, currency }: ReservationInput): Promise<bigint> {
  const [balance] = await readBalances(parts.db, [{ userId, currency }]);
  return balance?.availableMinor ?? 0n;
}

async function decisionsOf({ parts }: Deps, lines: readonly PlacedLine[]): Promise<ReadonlyMap<number, Decision>> {
  const decided = new Map<number, Decision>();
  await sideBySide(lines, LINES_AT_ONCE, async ({ lineNo, input }) => {
    const decision = await findDecided(parts.db, holdOfReservation(input));
    if (decision !== undefined) decided.set(lineNo, decision);
  });
  return decided;
}

/** Why an earlier request's lines cannot be completed: one was refused, or some are missing and one is not held any more. */
function refusalAmong(lines: readonly PlacedLine[], decided: ReadonlyMap<number, Decision>, holds: Holds): DomainError | undefined {
  for (const { lineNo } of lines) {
    const decision = decided.get(lineNo);
    if (decision?.outcome === "refused") return refusalOf(lineNo, decision.code);
    if (decision?.outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
  }
  if (decided.size === lines.length) return undefined;
  for (const { lineNo, input } of lines) {
    const hold = holds.get(input.reservationId);
    if (hold === undefined) continue;
    const code = closedReservationCode(hold.status) ?? (hold.expiresAt.getTime() <= Date.now() ? "RESERVATION_EXPIRED" : undefined);
    if (code !== undefined) return refusalOf(lineNo, code);
  }
  return undefined;
}

async function place(
  deps: Deps,
  lines: readonly PlacedLine[],
  left: {
    readonly missing: readonly PlacedLine[];
    readonly availableMinor: bigint;
    readonly begun: Decision | undefined;
    readonly holds: Holds;
  },
): Promise<Placing> {
  const { missing, availableMinor, begun, holds } = left;
  const end = endOf(lines, holds);
  const start = async (): Promise<Placing> => {
    // Once the first line is held the ledger decides: it keeps its refusal, so that every repeat is answered with it.
    if (begun === undefined) refuseBeyond(availableMinor, lines);
    return await placeEach(deps, end === undefined ? missing : missing.map((line) => ({ ...line, input: { ...line.input, ...end } })));
  };
  try {
    return await deps.whileSold(missing, start);
  } catch (error) {
    return isRefusal(error) ? { refusal: error } : { failure: error };
  }
}

/** The end of the lines that are held already. */
function endOf(lines: readonly PlacedLine[], holds: Holds): { readonly expiresAt: string } | undefined {
  for (const { input } of lines) {
    const hold = holds.get(input.reservationId);
    if (hold !== undefined) return { expiresAt: hold.expiresAt.toISOString() };
  }
  return undefined;
}

function refuseBeyond(availableMinor: bigint, lines: readonly PlacedLine[]): void {
  const sumMinor = lines.reduce((sum, { input }) => sum + BigInt(input.amountMinor), 0n);
  const currency = lines[0]?.input.currency;
  if (sumMinor <= availableMinor || currency === undefined) return;
  throw new DomainError(
    "INSUFFICIENT_FUNDS",
    `the lines are ${inWords(sumMinor, currency)} together, and ${inWords(availableMinor, currency)} are available`,
    { pointer: "/lines" },
  );
}

/** Places the first line, and then the others side by side until one is refused. */
async function placeEach({ parts, starters }: Deps, [first, ...others]: readonly PlacedLine[]): Promise<Placing> {
  let refusal: DomainError | undefined;
  let failure: unknown;
  const placeOne = async ({ lineNo, input }: PlacedLine) => {
    if (refusal !== undefined || failure !== undefined) return;
    try {
      const { decision } = await placeReservation({ db: parts.db, starters }, input);
      if (decision.outcome === "conflict") failure ??= new DomainError("IDEMPOTENCY_CONFLICT");
      if (decision.outcome === "refused") refusal ??= refusalOf(lineNo, decision.code);
    } catch (error) {
      if (isRefusal(error)) refusal ??= refusalOf(lineNo, error.code);
      else failure ??= error;
    }
  };
  if (first !== undefined) await placeOne(first);
  await sideBySide(others, LINES_AT_ONCE, placeOne);
  return { ...(refusal === undefined ? {} : { refusal }), ...(failure === undefined ? {} : { failure }) };
}

/** Gives back every line that is held. Safe to retry: each line has a permanent key for it. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
async function giveBack(deps: Deps, lines: readonly PlacedLine[]): Promise<void> {
  const { parts } = deps;
  const holds = await holdsOf(deps, lines);
  await sideBySide(lines, LINES_AT_ONCE, async ({ input: { reservationId, caller, correlationId } }) => {
    const hold = holds.get(reservationId);
    if (hold?.status !== "held") return;
    try {
      await releaseReservation(parts, { key: undoneLineKey(reservationId), caller, correlationId }, hold);
    } catch (error) {
      // Its time passed meanwhile, or a client of its own was faster: nothing is held.
      if (!isClosedCode(codeOf(error))) throw error;
    }
  });
}

function refusalOf(lineNo: number, code: ErrorCode): DomainError {
  return new DomainError(code, `line ${lineNo}: ${ERROR_CATALOGUE[code].title} None of the lines is held.`, {
    pointer: `/lines/${lineNo - 1}`,
  });
}

function isRefusal(error: unknown): error is DomainError {
  return error instanceof DomainError && ERROR_CATALOGUE[error.code].remedy === "change the request";
}
