import { codeOf, DomainError } from "../../base/errors.ts";
import { reservationWorkflowId } from "../../contract/ids.ts";
import type { ReservationState } from "../../contract/reservations.ts";
import { captureHoldOperation, releaseHoldOperation } from "../../domain/ledger/hold-operations.ts";
import { contentHash, type Operation, type Origin } from "../../domain/ledger/operations.ts";
import { rescueOperation } from "../../domain/ledger/rescue-operation.ts";
import { closedReservationCode } from "../../domain/reservations/reservation-states.ts";
import type { Starters } from "../../starters/index.ts";
import { postOnLedger } from "../../store/ledger/done-or-throw.ts";
import type { Ledger } from "../../store/ledger/ledger.ts";
import { findOperation } from "../../store/ledger/operations.ts";
import { createPauseCheck } from "../../store/operators/pauses.ts";
import type { Db } from "../../store/postgres/database.ts";
import { expireHold } from "../../store/reservations/hold-expiry.ts";
import { findHoldsOf, type HoldTriple } from "../../store/reservations/hold-matches.ts";
import { extensionContent, findHoldMove, moveHoldEnd } from "../../store/reservations/hold-moves.ts";
import { getHold, type HoldRecord } from "../../store/reservations/holds.ts";

/** Who asks, and under which permanent key. */
export interface ReservationRequest {
  readonly key: string;
  readonly caller: string;
  readonly correlationId: string;
}

/** True when an earlier request with the same key did it. */
export interface ActResult {
  readonly replayed: boolean;
}

/**
 * What can be done with a reservation. The workflow is asked; where there is none any more the hold's row decides, under the same key.
 * Each is safe to retry by its key. All throw: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, IDEMPOTENCY_CONFLICT,
 * UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export interface ReservationActs {
  /** The reservation. Throws: RESERVATION_NOT_FOUND. */
  find(reservationId: string): Promise<HoldRecord>;
  /** The only open reservation of the triple, or the newest when none is open. Throws: AMBIGUOUS, RESERVATION_NOT_FOUND. */
  pick(triple: HoldTriple, currency: string | undefined): Promise<HoldRecord>;
  /**
   * Makes revenue of all that is held or of `amountMinor`. One that expired a moment ago is rescued.
   * Throws: AMOUNT_EXCEEDS_HOLD, PAUSED.
   */
  confirm(request: ReservationRequest, hold: HoldRecord, amountMinor: bigint | undefined): Promise<ActResult>;
  /** Gives back what is still held. */
  release(request: ReservationRequest, hold: HoldRecord): Promise<ActResult>;
  /** Holds the money until `newEnd`; an end that is later already stays. */
  extend(request: ReservationRequest, hold: HoldRecord, wish: { readonly ttlMs: number; readonly newEnd: Date }): Promise<ActResult>;
}

/** Tries to rescue one reservation: more are not needed unless its user runs in and out of money on purpose. */
const MAX_RESCUES = 20;
/** How many ids the refusal of an ambiguous request names. */
const MAX_NAMED = 20;

interface ActDeps {
  readonly db: Db;
  readonly ledger: Ledger;
  readonly starters: Pick<Starters, "confirmReservation" | "releaseReservation" | "extendReservation">;
  /** `graceMs`: how long after its money went back a confirmation is still rescued; 0 is never. */
  readonly settings: { readonly reservationTtl: { readonly graceMs: number } };
}

export function createReservationActs({ db, ledger, starters, settings }: ActDeps): ReservationActs {
  const pausedFor = createPauseCheck(db);
  const { graceMs } = settings.reservationTtl;

  const find = async (reservationId: string): Promise<HoldRecord> => {
    const hold = await getHold(db, reservationId);
    if (hold === undefined || hold.purpose !== "reservation") throw new DomainError("RESERVATION_NOT_FOUND");
    return hold;
  };

  const wasDone = async (operation: Operation): Promise<boolean> => {
    const known = await findOperation(db, operation.key);
    if (known === undefined) return false;
    if (known.contentHash !== contentHash(operation)) throw new DomainError("IDEMPOTENCY_CONFLICT");
    if (known.refusalCode !== undefined) throw new DomainError(known.refusalCode);
    return true;
  };

  const refuseWhilePaused = async ({ userId, serviceId }: HoldRecord): Promise<void> => {
    const pause = await pausedFor({ userId, serviceIds: [serviceId] });
    if (pause !== undefined) throw new DomainError("PAUSED");
  };

  // The ledger refuses what is closed and keeps the refusal under the key, so that a repeat never acts on something else.
  const act = async (hold: HoldRecord, operation: Operation, ask: () => Promise<ReservationState | undefined>): Promise<ActResult> => {
    if (await wasDone(operation)) return { replayed: true };
    if (operation.kind === "capture" && hold.status === "held") await refuseWhilePaused(hold);
    try {
      if (hold.status !== "held") await postOnLedger(ledger, operation);
      else if ((await ask()) === undefined) await postWithoutWorkflow(ledger, await find(hold.holdId), operation);
    } catch (error) {
      // The first of two requests with one key may have been done while this one was under way.
      if (!CLOSED.has(codeOf(error)) || !(await wasDone(operation))) throw error;
      return { replayed: true };
    }
    return { replayed: false };
  };

  const rescue = async (request: ReservationRequest, holdId: string, wantedMinor: bigint | undefined): Promise<ActResult> => {
    const hold = await find(holdId);
    const code = closedReservationCode(hold.status);
    if (code !== "RESERVATION_EXPIRED") throw new DomainError(code ?? "UNAVAILABLE");
    const { releasedMinor } = hold;
    const amountMinor = wantedMinor ?? releasedMinor;
    const lastMs = hold.updatedAt.getTime() + graceMs;
    const mayPay = graceMs > 0 && Date.now() <= lastMs;
    const origin = originOf(request, hold);
    for (let attempt = 0; attempt < MAX_RESCUES; attempt += 1) {
      const operation = rescueOperation({ ...hold, attempt, amountMinor, requestKey: request.key, origin });
      const known = await findOperation(db, operation.key);
      const isMine = known?.contentHash === contentHash(operation);
      if (isMine && known.refusalCode === undefined) return { replayed: true };
      if (isMine) throw expired("the money went back, and the available balance does not cover it any more");
      if (known !== undefined && known.refusalCode === undefined) throw new DomainError("ALREADY_CONFIRMED");
      if (known !== undefined) continue;
      if (!mayPay)
        throw expired(
          graceMs > 0
            ? `its money went back at ${hold.updatedAt.toISOString()} and it could be confirmed until ${new Date(lastMs).toISOString()}`
            : `its money went back at ${hold.updatedAt.toISOString()}`,
        );
      if (amountMinor > releasedMinor) throw new DomainError("AMOUNT_EXCEEDS_HOLD");
      await refuseWhilePaused(hold);
      const result = await ledger.post(operation);
      if (result.outcome === "done") return { replayed: result.duplicate };
      if (result.outcome === "refused") throw expired("the money went back, and the available balance does not cover it any more");
      // Another request was faster with this number: look again what became of it.
      attempt -= 1;
    }
    throw expired("it was tried too often");
  };

  return {
    find,

    async pick(triple, currency) {
      const matches = (await findHoldsOf(db, { ...triple, purpose: "reservation" })).filter(
        (hold) => currency === undefined || hold.currency === currency,
      );
      const open = matches.filter(({ status }) => status === "held");
      if (open.length > 1) {
        const reservationIds = open.slice(0, MAX_NAMED).map(({ holdId }) => holdId);
        throw new DomainError("AMBIGUOUS", undefined, { reservationIds: reservationIds.join(" ") });
      }
      const hold = open[0] ?? matches[0];
      if (hold === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
      return hold;
    },

    async confirm(request, hold, amountMinor) {
      const operation = captureHoldOperation({
        ...ownerOf(request, hold),
        comment: "confirmed over HTTP",
        amountMinor: amountMinor ?? "remainder",
      });
      try {
        return await act(hold, operation, () =>
          starters.confirmReservation(hold.holdId, {
            requestKey: request.key,
            ...(amountMinor === undefined ? {} : { amountMinor: amountMinor.toString() }),
          }),
        );
      } catch (error) {
        if (codeOf(error) !== "RESERVATION_EXPIRED") throw error;
        return rescue(request, hold.holdId, amountMinor);
      }
    },

    release(request, hold) {
      const operation = releaseHoldOperation({ ...ownerOf(request, hold), comment: "released over HTTP", effect: "release" });
      return act(hold, operation, () => starters.releaseReservation(hold.holdId, { requestKey: request.key }));
    },

    async extend({ key, caller, correlationId }, hold, { ttlMs, newEnd }) {
      const content = extensionContent(ttlMs);
      const known = await findHoldMove(db, key);
      if (known !== undefined) {
        if (known.holdId !== hold.holdId || known.content !== content) throw new DomainError("IDEMPOTENCY_CONFLICT");
        return { replayed: true };
      }
      refuseClosed(hold);
      const expiresAt = newEnd.toISOString();
      const state = await starters.extendReservation(hold.holdId, { requestKey: key, ttlMs, expiresAt, caller, correlationId });
      if (state !== undefined) return { replayed: false };
      const fresh = await find(hold.holdId);
      refuseClosed(fresh);
      if (isOver(fresh)) await expireNow(ledger, fresh, { caller, correlationId });
      const outcome = await moveHoldEnd(db, { key, holdId: hold.holdId, kind: "extension", content, newEnd, caller, correlationId });
      if (outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
      if (outcome === "missing") throw new DomainError("RESERVATION_NOT_FOUND");
      if (outcome !== "done" && outcome !== "duplicate") refuseClosed({ status: outcome });
      return { replayed: outcome === "duplicate" };
    },
  };
}

const CLOSED: ReadonlySet<string> = new Set(["ALREADY_CONFIRMED", "ALREADY_RELEASED", "RESERVATION_EXPIRED"]);

/**
 * Does with a hold whose workflow is not there any more what the request asks. When its time has passed nobody has given it back:
 * that comes first, and the request learns RESERVATION_EXPIRED.
 * Throws: the code that the operation was refused with, RESERVATION_EXPIRED, IDEMPOTENCY_CONFLICT, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function postWithoutWorkflow(ledger: Ledger, hold: HoldRecord, operation: Operation): Promise<void> {
  if (hold.status === "held" && isOver(hold)) await expireNow(ledger, hold, operation.origin);
  await postOnLedger(ledger, operation);
}

async function expireNow(ledger: Ledger, hold: HoldRecord, { caller, correlationId }: Origin): Promise<void> {
  const result = await expireHold(ledger, hold, { caller, correlationId });
  if (result.outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
  throw new DomainError(result.outcome === "refused" ? result.code : "RESERVATION_EXPIRED");
}

function isOver({ expiresAt }: HoldRecord): boolean {
  return expiresAt.getTime() <= Date.now();
}

function refuseClosed({ status }: Pick<HoldRecord, "status">): void {
  const code = closedReservationCode(status);
  if (code !== undefined) throw new DomainError(code);
}

function expired(reason: string): DomainError {
  return new DomainError("RESERVATION_EXPIRED", `The reservation has expired: ${reason}.`);
}

function originOf({ caller, correlationId }: ReservationRequest, { holdId }: HoldRecord): Origin {
  return { caller, correlationId, workflowId: reservationWorkflowId(holdId) };
}

function ownerOf(request: ReservationRequest, hold: HoldRecord) {
  const { holdId, userId, serviceId, orderId, currency } = hold;
  return { key: request.key, holdId, userId, serviceId, orderId, currency, origin: originOf(request, hold) };
}
