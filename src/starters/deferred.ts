import { DomainError } from "../base/errors.ts";
import type { Starters } from "./index.ts";

/** Starters that refuse with UNAVAILABLE until the real starters are attached. */
export type DeferredStarters = Deferred<Starters>;

/** A port whose calls another port of its kind answers, once it is attached. */
type Deferred<Port> = Port & {
  /** From now on every call goes to `real`. */
  attach(real: Port): void;
};

/** An object of asynchronous methods only. */
type Methods<Port> = Record<keyof Port, (...parameters: never[]) => Promise<unknown>>;

/** Every method of the starters: the compiler refuses a list that lacks a method or has a name too many. */
const STARTERS: Readonly<Record<keyof Starters, true>> = {
  startOrder: true,
  restartOrder: true,
  cancelOrder: true,
  orderStatus: true,
  orderUndoPlan: true,
  actOnOrder: true,
  advanceOrder: true,
  replyToOrder: true,
  tellProviderNews: true,
  userOfOrder: true,
  orderRequestHash: true,
  startRefund: true,
  refundStatus: true,
  actOnRefund: true,
  placeReservation: true,
  confirmReservation: true,
  releaseReservation: true,
  extendReservation: true,
  advanceReservationClock: true,
  reservationStatus: true,
  restartReservation: true,
  startReport: true,
  closeMonth: true,
  reportProgress: true,
  runEventBatch: true,
  runSagaCommand: true,
  followSagaRefund: true,
  replyToRefund: true,
  isOpen: true,
};

/**
 * Lets the API serve all that needs no Temporal while Temporal is not up yet.
 * Throws, from every call before `attach`: UNAVAILABLE. Nothing was asked of Temporal then: safe to retry.
 */
export function createDeferredStarters(): DeferredStarters {
  return createDeferred<Starters>(STARTERS, () => new DomainError("UNAVAILABLE", "Temporal has not answered yet"));
}

function createDeferred<Port extends Methods<Port>>(names: Readonly<Record<keyof Port, true>>, refusal: () => Error): Deferred<Port> {
  let attached: Port | undefined;
  const passOn =
    (name: keyof Port) =>
    async (...parameters: never[]): Promise<unknown> => {
      if (attached === undefined) throw refusal();
      return attached[name](...parameters);
    };
  const methods = Object.fromEntries(Object.keys(names).map((name) => [name, passOn(name as keyof Port)])) as Methods<Port> as Port;
  return {
    ...methods,
    attach: (real) => {
      attached = real;
    },
  };
}
