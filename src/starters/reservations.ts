import { createHash } from "node:crypto";
import { WithStartWorkflowOperation, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "@temporalio/client";
import type { UpdateDefinition } from "@temporalio/common";
import { withinOrNothing } from "../base/deadline.ts";
import { DomainError } from "../base/errors.ts";
import { reservationWorkflowId } from "../contract/ids.ts";
import {
  advanceReservationClockUpdate,
  confirmReservationUpdate,
  extendReservationUpdate,
  releaseReservationUpdate,
  remainingSeconds,
  reservationPlacedUpdate,
  reservationStatusQuery,
  type AdvanceClockInput,
  type ConfirmInput,
  type ExtendInput,
  type ReleaseInput,
  type ReservationInput,
  type ReservationState,
  type ReservationStatus,
} from "../contract/reservations.ts";
import { TASK_QUEUES } from "../contract/task-queues.ts";
import { isAlreadyStarted, type Calls, type StarterOptions } from "./calls.ts";
import type { PlacedHolds } from "./placed-holds.ts";
import { typedSearchAttributes } from "./typed-search-attributes.ts";
import { reservationWords } from "./words.ts";

/**
 * How long a worker of this process, which has a reservation's first task, is trusted to place the hold before its workflow is asked.
 */
const HEAD_START_MS = 3_000;

/** What is asked of a reservation's workflow. */
export interface ReservationStarters {
  /**
   * Starts the reservation or joins the running one, and answers once the money is held. A reservation that has ended may give its
   * first answer again, or undefined.
   */
  placeReservation(input: ReservationInput): Promise<ReservationState | undefined>;
  confirmReservation(reservationId: string, input: ConfirmInput): Promise<ReservationState | undefined>;
  releaseReservation(reservationId: string, input: ReleaseInput): Promise<ReservationState | undefined>;
  extendReservation(reservationId: string, input: ExtendInput): Promise<ReservationState | undefined>;
  advanceReservationClock(reservationId: string, input: AdvanceClockInput): Promise<ReservationState | undefined>;
  reservationStatus(reservationId: string): Promise<ReservationStatus | undefined>;
  /** Starts the workflow of a standing hold whose workflow is lost; a workflow that runs is left alone. */
  restartReservation(input: ReservationInput): Promise<void>;
}

/** The starters of reservations. */
export function createReservationStarters(
  calls: Calls,
  { eager, placedHolds }: Partial<Pick<StarterOptions, "eager" | "placedHolds">> = {},
): ReservationStarters {
  const ask = <Input extends { readonly requestKey: string }>(
    reservationId: string,
    update: UpdateDefinition<ReservationState, [Input]>,
    kind: string,
    input: Input,
  ): Promise<ReservationState | undefined> =>
    calls.update((workflows) =>
      workflows
        .getHandle(reservationWorkflowId(reservationId))
        .executeUpdate(update, { args: [input], updateId: updateIdOf(kind, input.requestKey) }),
    );

  /**
   * Starts a reservation where a worker of this process takes its first task at once, and waits for the hold's commit here; undefined where
   * only the workflow can tell. An update with the start would take its first task to any process, and costs the server more.
   * Throws: what the ledger refuses the hold with.
   */
  const placeHere = async (reservation: ReservationInput, holds: PlacedHolds): Promise<ReservationState | undefined> => {
    // Waited for from before the start: the hold may be placed before the start's answer is read.
    const { news, drop } = holds.expect(reservation.reservationId);
    try {
      const { alreadyStarted, isHere } = await calls.start("reservation", reservationWorkflowId(reservation.reservationId), {
        ...reservationStart(reservation),
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        requestEagerStart: true,
      });
      const hold = alreadyStarted || isHere !== true ? undefined : await withinOrNothing(news, HEAD_START_MS);
      if (hold instanceof DomainError) throw hold;
      return hold;
    } finally {
      drop();
    }
  };

  return {
    async placeReservation(reservation) {
      const placed = eager === true && placedHolds !== undefined ? await placeHere(reservation, placedHolds) : undefined;
      if (placed !== undefined) return placed;
      const startWorkflowOperation = new WithStartWorkflowOperation("reservation", {
        ...reservationStart(reservation),
        // A running reservation is joined; a reservation that ended is over, and its row or its refused operation tells how.
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      });
      try {
        return await calls.update((workflows) =>
          workflows.executeUpdateWithStart(reservationPlacedUpdate, { startWorkflowOperation, updateId: "placed" }),
        );
      } catch (error) {
        if (isAlreadyStarted(error)) return undefined;
        throw error;
      }
    },

    confirmReservation: (reservationId, input) => ask(reservationId, confirmReservationUpdate, "confirm", input),

    releaseReservation: (reservationId, input) => ask(reservationId, releaseReservationUpdate, "release", input),

    extendReservation: (reservationId, input) => ask(reservationId, extendReservationUpdate, "extend", input),

    advanceReservationClock: (reservationId, input) => ask(reservationId, advanceReservationClockUpdate, "advance", input),

    async reservationStatus(reservationId) {
      const status = await calls.query(reservationWorkflowId(reservationId), reservationStatusQuery);
      // A workflow's clock stands still between its events, so its own count would not go down.
      return status?.status === "held" ? { ...status, remainingSeconds: remainingSeconds(status, Date.now()) } : status;
    },

    async restartReservation(reservation) {
      await calls.call((workflows) =>
        workflows.start("reservation", {
          ...reservationStart(reservation),
          // The hold is the first run's, found again under the same key; only its time has to be kept.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
        }),
      );
    },
  };
}

// Update ids are kept in the history and shown; the client's key may be long and is hashed to a fixed length.
function updateIdOf(kind: string, requestKey: string): string {
  return `${kind}-${createHash("sha256").update(requestKey).digest("hex").slice(0, 32)}`;
}

function reservationStart(reservation: ReservationInput) {
  return {
    workflowId: reservationWorkflowId(reservation.reservationId),
    taskQueue: TASK_QUEUES.orders,
    args: [reservation],
    ...reservationWords(reservation),
    typedSearchAttributes: typedSearchAttributes({ ...reservation, reservationState: "held" }),
  };
}
