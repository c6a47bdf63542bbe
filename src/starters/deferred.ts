import { DomainError } from "../base/errors.ts";
import type { Starters } from "./index.ts";

/** Starters that refuse with UNAVAILABLE until the real ones are there. */
export interface DeferredStarters extends Starters {
  /** From now on every call goes to the real ones. */
  attach(starters: Starters): void;
}

/** Lets the API serve all that needs no Temporal while Temporal is not up yet. */
export function createDeferredStarters(): DeferredStarters {
  let real: Starters | undefined;
  const there = async (): Promise<Starters> => {
    if (real === undefined) throw new DomainError("UNAVAILABLE", "Temporal has not answered yet");
    return real;
  };
  return {
    attach: (starters) => {
      real = starters;
    },
    startOrder: async (input) => (await there()).startOrder(input),
    cancelOrder: async (orderId, reason) => (await there()).cancelOrder(orderId, reason),
    orderStatus: async (orderId) => (await there()).orderStatus(orderId),
    orderUndoPlan: async (orderId) => (await there()).orderUndoPlan(orderId),
    actOnOrder: async (orderId, act) => (await there()).actOnOrder(orderId, act),
    refundStatus: async (orderId, refundId) => (await there()).refundStatus(orderId, refundId),
    actOnRefund: async (orderId, refundId, act) => (await there()).actOnRefund(orderId, refundId, act),
    advanceOrder: async (orderId, advanceMs) => (await there()).advanceOrder(orderId, advanceMs),
    startRefund: async (input) => (await there()).startRefund(input),
    placeReservation: async (input) => (await there()).placeReservation(input),
    confirmReservation: async (reservationId, input) => (await there()).confirmReservation(reservationId, input),
    releaseReservation: async (reservationId, input) => (await there()).releaseReservation(reservationId, input),
    extendReservation: async (reservationId, input) => (await there()).extendReservation(reservationId, input),
    advanceReservationClock: async (reservationId, input) => (await there()).advanceReservationClock(reservationId, input),
    restartReservation: async (input) => (await there()).restartReservation(input),
    restartOrder: async (input) => (await there()).restartOrder(input),
    isOpen: async (workflowId) => (await there()).isOpen(workflowId),
    reservationStatus: async (reservationId) => (await there()).reservationStatus(reservationId),
    startReport: async (input) => (await there()).startReport(input),
    reportProgress: async (month, version) => (await there()).reportProgress(month, version),
    runEventBatch: async (input, signal) => (await there()).runEventBatch(input, signal),
    runSagaCommand: async (input, signal) => (await there()).runSagaCommand(input, signal),
    replyToOrder: async (orderId, reply) => (await there()).replyToOrder(orderId, reply),
    followSagaRefund: async (payment) => (await there()).followSagaRefund(payment),
    replyToRefund: async (payment, reply) => (await there()).replyToRefund(payment, reply),
    orderRequestHash: async (orderId) => (await there()).orderRequestHash(orderId),
  };
}
