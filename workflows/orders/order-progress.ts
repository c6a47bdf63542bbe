import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  setCurrentDetails,
  setHandler,
} from "@temporalio/workflow";
import { inWords } from "../../src/base/money.ts";
import type { OperatorAct, OperatorActKind } from "../../src/contract/operator-acts.ts";
import {
  advanceOrderUpdate,
  cancelOrderUpdate,
  orderStatusQuery,
  orderUndoPlanQuery,
  type OrderOutcome,
  type OrderSagaInput,
  type OrderStep,
  type SagaState,
  type UndoStep,
} from "../../src/contract/orders.ts";
import { maskDigits } from "../../src/domain/cards/card.ts";
import { showSagaState } from "../search-attributes.ts";
import { createOperatorDesk } from "../steps/operator-desk.ts";
import { fieldsOf, isAdvance, isText, unreadable } from "../untyped-input.ts";
import type { SagaClock } from "./order-clock.ts";

/** How often a test may move an order's clock: a run takes 2,000 updates at most, and a cancellation must always find room. */
const MOST_ADVANCES = 1_000;

/** How an order's saga shows itself to clients, operators and the Temporal UI, and how it hears of a cancellation and of operator acts. */
export interface OrderProgress {
  /** Begins a step that can still be undone. Throws: CancelledFailure when a cancellation was asked for. */
  enter(step: OrderStep): void;
  /** Begins a step that is never undone once it has happened. */
  pass(step: OrderStep): void;
  /** True when a cancellation of the order was asked for. */
  cancelWanted(): boolean;
  /** The reason given with the cancellation, masked; undefined without a cancellation or without a reason. */
  cancelReason(): string | undefined;
  /** Shows what the order waits for; undefined when it goes on. */
  waiting(reason: string | undefined): void;
  /** Shows that the step is done and what state the saga is in now. */
  done(state: SagaState, result: string): void;
  /** Shows which step of the compensation runs. */
  undoing(step: string): void;
  /** Shows that a step is past its fast retries, why, and the acts an operator may choose, by default all. Without a step: nothing is stuck. */
  stuck(step: string | undefined, reason?: string, possibleActs?: readonly OperatorActKind[]): void;
  /** An operator's next decision about this step, taken off the list; undefined when there is none. */
  takeAct(step: string): OperatorAct | undefined;
  /** True when `takeAct` would return a decision. */
  hasAct(step: string): boolean;
  /** Shows the outcome, answers all waiting cancellations with it, and returns it when every handler has ended. */
  finish(outcome: Omit<OrderOutcome, "orderId">): Promise<OrderOutcome>;
}

/** Registers the saga's queries, updates and signal. `plan` lists what the compensation would still reverse. */
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
  // An operator may send a cancellation by hand without an argument. Its wait is non-cancellable: after a native cancellation of the
  // workflow the sender still gets the outcome.
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
  takeAdvances(clock);

  const show = () => {
    const { stuck } = desk.standing();
    const now = stuck === undefined ? waitingFor : `stuck at "${stuck}": ${waitingFor ?? "an operator has to look"}`;
    setCurrentDetails(detailsOf(order, rows, now));
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
      // A step that waits has not happened, so the order can be undone again.
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
      if (!allHandlersFinished()) await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
      return current;
    },
  };
}

/** The order as the Temporal UI shows it: its steps as a table of Markdown, and what it waits for. */
function detailsOf({ orderId, userId, totalMinor, currency }: OrderSagaInput, rows: readonly string[], now: string | undefined): string {
  const total = inWords(totalMinor, currency);
  return (
    `Order **${orderId}** of user **${userId}**, ${total}\n\n| | step | result |\n|---|---|---|\n${rows.join("\n")}` +
    (now === undefined ? "" : `\n\n**Waits:** ${now}`)
  );
}

function takeAdvances(clock: SagaClock): void {
  let advances = 0;
  setHandler(
    advanceOrderUpdate,
    ({ advanceMs }) => {
      advances += 1;
      clock.advance(advanceMs);
      return { advancedMs: advanceMs };
    },
    {
      validator(advance) {
        refuseOtherThanAdvance(advance);
        if (advances >= MOST_ADVANCES)
          throw ApplicationFailure.nonRetryable(`the order's clock was moved ${MOST_ADVANCES} times`, "ORDER_STATE_CONFLICT");
      },
    },
  );
}

/** The reason of a cancellation, with numbers that may be a card's masked; undefined when the request gives no reason. */
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

function refuseOtherThanAdvance(advance: unknown): void {
  if (!isAdvance(fieldsOf(advance)?.["advanceMs"])) throw unreadable("advanceMs must be whole milliseconds above zero");
}
