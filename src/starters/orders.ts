import { randomUUID } from "node:crypto";
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "@temporalio/client";
import { withinOrNothing } from "../base/deadline.ts";
import { orderWorkflowId } from "../contract/ids.ts";
import { operatorActSignal, type OperatorAct } from "../contract/operator-acts.ts";
import {
  advanceOrderUpdate,
  cancelOrderUpdate,
  orderStatusQuery,
  orderUndoPlanQuery,
  type OrderEnd,
  type OrderOutcome,
  type OrderSagaInput,
  type OrderSagaStatus,
  type UndoPlan,
} from "../contract/orders.ts";
import { providerNewsSignal } from "../contract/provider-events.ts";
import { paymentReplySignal, type PaymentReply } from "../contract/saga-commands.ts";
import { TASK_QUEUES } from "../contract/task-queues.ts";
import type { Calls, Started, StarterOptions } from "./calls.ts";
import type { EndWait } from "./ended-orders.ts";
import { typedSearchAttributes } from "./typed-search-attributes.ts";
import { orderWords } from "./words.ts";

/** The outcome of an order. `paidAt` as in `OrderEnd`: with it the order's row is known without a read. */
export type KnownOutcome = OrderOutcome & Pick<OrderEnd, "paidAt">;

/** What is asked of an order's workflow. */
export interface OrderStarters {
  /** Starts the order's saga, once for ever: an order that was started before is not run again. */
  startOrder(input: OrderSagaInput): Promise<Started<KnownOutcome>>;
  /** Starts the saga of an undecided order whose workflow is lost; a workflow that runs is left alone. */
  restartOrder(input: OrderSagaInput): Promise<void>;
  /** Asks the saga to stop and undo, and waits for the definite outcome; undefined when it does not run. */
  cancelOrder(orderId: string, reason: string): Promise<OrderOutcome | undefined>;
  orderStatus(orderId: string): Promise<OrderSagaStatus | undefined>;
  orderUndoPlan(orderId: string): Promise<UndoPlan | undefined>;
  /** Tells the order's workflow what a person decided; false when it does not run. */
  actOnOrder(orderId: string, act: OperatorAct): Promise<boolean>;
  /** Moves the order's own timers forward. */
  advanceOrder(orderId: string, advanceMs: number): Promise<{ readonly advancedMs: number } | undefined>;
  /** Tells the order's workflow what the payment service answered; false when it does not run. */
  replyToOrder(orderId: string, reply: PaymentReply): Promise<boolean>;
  /** Tells the order's workflow that the payment provider may know more by now; false when it does not run. */
  tellProviderNews(orderId: string, event: string): Promise<boolean>;
  /** The user whose order's workflow runs under this id; undefined when none runs. */
  userOfOrder(orderId: string): Promise<string | undefined>;
  /** The hash of the request that an order's workflow was started with; undefined when the server does not know it any more. */
  orderRequestHash(orderId: string): Promise<string | undefined>;
}

/** The starters of orders. */
export function createOrderStarters(
  calls: Calls,
  { eager, endedOrders, payAhead }: Pick<StarterOptions, "eager" | "endedOrders" | "payAhead">,
): OrderStarters {
  return {
    async startOrder(order) {
      // Waited for from before the start: an eager workflow may have ended before the start's answer is read.
      const wait = endedOrders?.expect(order.orderId);
      try {
        const started = await calls.start<OrderOutcome>("orderSaga", orderWorkflowId(order.orderId), {
          ...orderStart(order),
          // The order's id is made of the client's key: the same order is never run twice, and a repeated request finds the first run.
          workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
          requestEagerStart: eager,
        });
        // Only where the first task is here: its slot bounds how many orders are paid before their workflows have caught up.
        const isPaidHere = started.isHere === true && isPaidByWallet(order);
        if (isPaidHere && started.runId !== undefined) payAhead?.(order, { workflowId: started.workflowId, runId: started.runId });
        if (wait !== undefined && !started.alreadyStarted)
          return {
            ...started,
            outcome: (waitMs) =>
              firstOutcome(started, wait, { waitMs, headStartMs: isPaidHere ? HEAD_START_MS.here : HEAD_START_MS.perhapsElsewhere }),
            forget: wait.drop,
          };
        wait?.drop();
        return started;
      } catch (error) {
        wait?.drop();
        throw error;
      }
    },

    async restartOrder(order) {
      await calls.call((workflows) =>
        workflows.start("orderSaga", {
          ...orderStart(order),
          workflowId: orderWorkflowId(order.orderId),
          // The row is the first run's: its fences and the permanent keys of the steps let nothing happen twice.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
        }),
      );
    },

    cancelOrder: (orderId, reason) =>
      calls.update((workflows) =>
        workflows.getHandle(orderWorkflowId(orderId)).executeUpdate(cancelOrderUpdate, { args: [{ reason }], updateId: "cancel" }),
      ),

    orderStatus: (orderId) => calls.query(orderWorkflowId(orderId), orderStatusQuery),

    orderUndoPlan: (orderId) => calls.query(orderWorkflowId(orderId), orderUndoPlanQuery),

    actOnOrder: (orderId, act) => calls.tell(orderWorkflowId(orderId), operatorActSignal, act),

    advanceOrder: (orderId, advanceMs) =>
      calls.update((workflows) =>
        workflows.getHandle(orderWorkflowId(orderId)).executeUpdate(advanceOrderUpdate, { args: [{ advanceMs }], updateId: randomUUID() }),
      ),

    replyToOrder: (orderId, reply) => calls.tell(orderWorkflowId(orderId), paymentReplySignal, reply),

    tellProviderNews: (orderId, event) => calls.tell(orderWorkflowId(orderId), providerNewsSignal, { event }),

    async userOfOrder(orderId) {
      const description = await calls.describe(orderWorkflowId(orderId));
      const userId = description?.memo?.["userId"];
      return description?.status.name === "RUNNING" && typeof userId === "string" ? userId : undefined;
    },

    async orderRequestHash(orderId) {
      const description = await calls.describe(orderWorkflowId(orderId));
      const hash = description?.memo?.["requestHash"];
      return typeof hash === "string" ? hash : undefined;
    },
  };
}

/**
 * How long the workers of this process are trusted to end the order, before its workflow is waited for as well. A wallet's order whose first
 * task is here is mostly paid by that task; every other order has steps that another process may take.
 */
const HEAD_START_MS = { here: 3_000, perhapsElsewhere: 250 } as const;

/**
 * The order's outcome, by this process or by its workflow, whichever is first. The long poll for the workflow's result costs as much as the
 * start, so it begins only when the end does not come from this process.
 */
async function firstOutcome(
  started: Started<OrderOutcome>,
  wait: EndWait,
  { waitMs, headStartMs }: { readonly waitMs: number; readonly headStartMs: number },
): Promise<KnownOutcome | undefined> {
  const endsAtMs = Date.now() + waitMs;
  const own = wait.end.then(outcomeOf);
  try {
    const soon = await withinOrNothing(own, Math.min(waitMs, headStartMs));
    return soon ?? (await Promise.race([own, started.outcome(endsAtMs - Date.now())]));
  } finally {
    wait.drop();
  }
}

function outcomeOf(end: OrderEnd): KnownOutcome {
  return { ...end, status: end.sagaState === "COMPLETED" ? "CONFIRMED" : "CANCELLED" };
}

/** As the saga decides it: it pays at once what is paid neither by card nor by another service. */
function isPaidByWallet({ card, paidBy }: OrderSagaInput): boolean {
  return card === undefined && paidBy !== "saga-commands";
}

function orderStart(order: OrderSagaInput) {
  return {
    taskQueue: TASK_QUEUES.orders,
    args: [order],
    ...orderWords(order),
    typedSearchAttributes: typedSearchAttributes({ ...order, sagaState: "STARTED" }),
  };
}
