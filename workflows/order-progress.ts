import { allHandlersFinished, CancellationScope, CancelledFailure, condition, setCurrentDetails, setHandler } from "@temporalio/workflow";
import { cancelOrderUpdate, orderStatusQuery, type OrderOutcome, type OrderSagaInput, type SagaState } from "../src/contract/orders.ts";
import { formatAmount } from "../src/money.ts";
import { showSagaState } from "./search-attributes.ts";

/** How an order's saga shows itself to those who ask, cancel or look on. */
export interface OrderProgress {
  /** Begins a step that can still be undone. Throws: CancelledFailure when a cancellation was asked for. */
  enter(step: string): void;
  /** Tells that the step is done and what state the saga is in now. */
  done(state: SagaState, result: string): void;
  /** Tells what compensation is doing. */
  undoing(step: string): void;
  /** Gives the outcome to everyone who waits for it, and lets them have it before the workflow ends. */
  finish(outcome: Omit<OrderOutcome, "orderId">): Promise<OrderOutcome>;
}

/** Registers the saga's query and update. */
export function createOrderProgress(order: OrderSagaInput): OrderProgress {
  const { orderId } = order;
  const rows: string[] = [];
  let current: OrderOutcome = { orderId, sagaState: "STARTED", status: "PENDING" };
  let step = "starting";
  let ended = false;
  let cancelReason: string | undefined;

  setHandler(orderStatusQuery, () => ({ ...current, step }));
  // An operator may send it by hand without an argument; and a native cancellation must not take the answer from who waits.
  setHandler(cancelOrderUpdate, async (request) => {
    cancelReason ??= request?.reason ?? "cancelled by an operator";
    await CancellationScope.nonCancellable(() => condition(() => ended));
    return current;
  });

  const tell = (result: string) => {
    rows.push(`| ${rows.length + 1} | ${step} | ${result} |`);
    const total = `${formatAmount(BigInt(order.totalMinor), order.currency)} ${order.currency}`;
    setCurrentDetails(
      `Order **${orderId}** of user **${order.userId}**, ${total}\n\n| | step | result |\n|---|---|---|\n${rows.join("\n")}`,
    );
  };

  return {
    enter(next) {
      if (cancelReason !== undefined) throw new CancelledFailure(cancelReason);
      step = next;
    },
    done(sagaState, result) {
      current = { ...current, sagaState };
      tell(result);
    },
    undoing(next) {
      step = next;
      current = { ...current, sagaState: "COMPENSATING" };
      tell("undoing");
    },
    async finish(outcome) {
      step = "ended";
      current = { orderId, ...outcome };
      ended = true;
      showSagaState(outcome.sagaState);
      tell(outcome.failureMessage ?? outcome.status);
      await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
      return current;
    },
  };
}
