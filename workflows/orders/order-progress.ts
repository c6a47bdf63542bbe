import { allHandlersFinished, CancellationScope, CancelledFailure, condition, setCurrentDetails, setHandler } from "@temporalio/workflow";
import { inWords } from "../../src/base/money.ts";
import type { OperatorAct, OperatorActKind } from "../../src/contract/operator-acts.ts";
import {
  advanceOrderUpdate,
  cancelOrderUpdate,
  orderStatusQuery,
  orderUndoPlanQuery,
  type OrderOutcome,
  type OrderSagaInput,
  type SagaState,
  type UndoStep,
} from "../../src/contract/orders.ts";
import { maskDigits } from "../../src/domain/cards/card.ts";
import { showSagaState } from "../search-attributes.ts";
import { createOperatorDesk } from "../steps/operator-desk.ts";
import { fieldsOf, isAdvance, isText, unreadable } from "../untyped-input.ts";
import type { SagaClock } from "./order-clock.ts";

/** How an order's saga shows itself to those who ask, cancel, act on it or look on. */
export interface OrderProgress {
  /** Begins a step that can still be undone. Throws: CancelledFailure when a cancellation was asked for. */
  enter(step: string): void;
  /** Begins a step from which there is no way back. */
  pass(step: string): void;
  /** True when somebody asked for the order to be cancelled. */
  cancelWanted(): boolean;
  /** Why somebody asked for it, in their words; undefined when nobody did or they gave none. */
  cancelReason(): string | undefined;
  /** Tells why nothing happens, or undefined when it goes on. */
  waiting(reason: string | undefined): void;
  /** Tells that the step is done and what state the saga is in now. */
  done(state: SagaState, result: string): void;
  /** Tells what compensation is doing. */
  undoing(step: string): void;
  /** Shows that a step is past its fast retries and which acts it takes, all of them by default; undefined when it is not any more. */
  stuck(step: string | undefined, reason?: string, possibleActs?: readonly OperatorActKind[]): void;
  /** The next decision of an operator about this step, taken off the list; undefined when there is none. */
  takeAct(step: string): OperatorAct | undefined;
  hasAct(step: string): boolean;
  /** Gives the outcome to everyone who waits for it, and lets them have it before the workflow ends. */
  finish(outcome: Omit<OrderOutcome, "orderId">): Promise<OrderOutcome>;
}

/** Registers the saga's queries, updates and signal. `plan` lists what compensation would still reverse. */
export function createOrderProgress(order: OrderSagaInput, clock: SagaClock, plan: () => UndoStep[]): OrderProgress {
  const { orderId } = order;
  const rows: string[] = [];
  const desk = createOperatorDesk();
  let current: OrderOutcome = { orderId, sagaState: "STARTED", status: "PENDING" };
  let step = "starting";
  let waitingFor: string | undefined;
  let passed = false;
  let ended = false;
  let cancelWanted = false;
  let cancelReason: string | undefined;

  setHandler(orderStatusQuery, () => ({
    ...current,
    step,
    ...desk.standing(),
    ...(waitingFor === undefined ? {} : { waitingFor }),
  }));
  setHandler(orderUndoPlanQuery, () => {
    const open = current.sagaState !== "COMPLETED" && current.sagaState !== "FAILED";
    return { orderId, sagaState: current.sagaState, possible: open && !passed, steps: open && !passed ? plan() : [] };
  });
  // An operator may send it by hand without an argument; and a native cancellation must not take the answer from who waits.
  setHandler(
    cancelOrderUpdate,
    async (request) => {
      if (!cancelWanted) cancelReason = reasonIn(request);
      cancelWanted = true;
      await CancellationScope.nonCancellable(() => condition(() => ended));
      return current;
    },
    { validator: refuseOtherThanReason },
  );
  setHandler(
    advanceOrderUpdate,
    ({ advanceMs }) => {
      clock.advance(advanceMs);
      return { advancedMs: advanceMs };
    },
    {
      validator: (advance: unknown) => {
        if (!isAdvance(fieldsOf(advance)?.["advanceMs"])) throw unreadable("advanceMs must be whole milliseconds above zero");
      },
    },
  );

  const show = () => {
    const total = inWords(order.totalMinor, order.currency);
    const { stuck } = desk.standing();
    const now = stuck === undefined ? waitingFor : `stuck at "${stuck}": ${waitingFor ?? "an operator has to look"}`;
    setCurrentDetails(
      `Order **${orderId}** of user **${order.userId}**, ${total}\n\n| | step | result |\n|---|---|---|\n${rows.join("\n")}` +
        (now === undefined ? "" : `\n\n**Waits:** ${now}`),
    );
  };
  const tell = (result: string) => {
    rows.push(`| ${rows.length + 1} | ${step} | ${result} |`);
    show();
  };

  return {
    enter(next) {
      if (cancelWanted) throw new CancelledFailure("the order was cancelled before this step");
      step = next;
    },
    pass(next) {
      step = next;
      passed = true;
    },
    cancelWanted: () => cancelWanted,
    cancelReason: () => cancelReason,
    waiting(reason) {
      waitingFor = reason;
      // What waits has not happened, so there is a way back again.
      if (reason !== undefined) passed = false;
      show();
    },
    done(sagaState, result) {
      current = { ...current, sagaState };
      tell(result);
    },
    undoing(next) {
      step = next;
      waitingFor = undefined;
      passed = false;
      current = { ...current, sagaState: "COMPENSATING" };
      tell("undoing");
    },
    stuck(next, reason, possibleActs) {
      waitingFor = reason;
      desk.stuck(next, reason, possibleActs);
      show();
    },
    hasAct: desk.hasAct,
    takeAct: desk.takeAct,
    async finish(outcome) {
      step = "ended";
      waitingFor = undefined;
      current = { orderId, ...outcome };
      ended = true;
      showSagaState(outcome.sagaState);
      tell(outcome.failureMessage ?? outcome.status);
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
      return current;
    },
  };
}

/** The words of a cancellation as they may be shown; undefined when there are none. */
function reasonIn(request: unknown): string | undefined {
  const reason = fieldsOf(request)?.["reason"];
  return isText(reason) ? maskDigits(reason) : undefined;
}

function refuseOtherThanReason(request: unknown): void {
  if (request === undefined || request === null) return;
  const fields = fieldsOf(request);
  const reason = fields?.["reason"] ?? "";
  if (fields === undefined || (reason !== "" && !isText(reason))) throw unreadable("a cancellation takes a reason in words, or nothing");
}
