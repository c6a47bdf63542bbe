import { orderRefundWorkflowId } from "../../src/contract/ids.ts";
import type { SelfAuditFinding } from "../../src/contract/self-audit.ts";
import { isFinal } from "../../src/domain/orders/order-states.ts";
import { findOrderIdentity } from "../../src/store/orders/order-identity.ts";
import { noteStuck } from "../../src/store/orders/orders.ts";
import { listPendingRefunds, listUnfinishedOrders, orderInputOf, type UnfinishedOrder } from "../../src/store/orders/unfinished.ts";
import type { ActivityDeps, WorkflowPort } from "../activity-deps.ts";
import { findingOf, PER_RUN } from "./finding.ts";
import { repairLost } from "./repair-lost.ts";

/** An order or a refund that has not changed for this long is checked for its workflow. */
const QUIET_MS = 15_000;
const CHECK = "orders";
const TITLE = "every order in no final state and every pending refund has its workflow";

type Deps = Pick<ActivityDeps, "db" | "workflows" | "logger">;

/** The self-audit's check of orders and refunds. */
export function createLostOrderCheck({ db, workflows, logger }: Deps) {
  return {
    /**
     * Starts the saga of each unfinished order again that no workflow runs, and the workflow of each pending refund that has none, because
     * Temporal was away when it was asked for. An order without its saved request cannot be started: it is noted as stuck, for an operator.
     * Safe to retry: the row's fences and the permanent keys of the steps let nothing happen twice.
     * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
     */
    async findLostOrders(): Promise<SelfAuditFinding> {
      if (workflows === undefined) return findingOf(CHECK, TITLE, { checked: 0, broken: [] });
      const quiet = { quietMs: QUIET_MS, limit: PER_RUN };
      const orders = await listUnfinishedOrders(db, quiet);
      const lostOrders = await repairLost(orders, {
        workflows,
        logger,
        workflowIdOf: ({ workflowId }) => workflowId,
        wordsOf: ({ orderId, sagaState }) => `order ${orderId} is ${sagaState} and its workflow does not run`,
        repair: (order) => restart(order, workflows),
      });
      const refunds = await listPendingRefunds(db, quiet);
      const lostRefunds = await repairLost(refunds, {
        workflows,
        logger,
        workflowIdOf: ({ orderId, refundId }) => orderRefundWorkflowId(orderId, refundId),
        wordsOf: ({ orderId, refundId }) => `refund ${refundId} of order ${orderId} has no workflow`,
        async repair({ createdAt: _createdAt, ...refund }) {
          await workflows.startRefund(refund);
          return { repaired: `refund ${refund.refundId} of order ${refund.orderId} had no workflow; it was started` };
        },
      });
      return findingOf(CHECK, TITLE, {
        checked: orders.length + refunds.length,
        broken: [...lostOrders.broken, ...lostRefunds.broken],
        repaired: [...lostOrders.repaired, ...lostRefunds.repaired],
      });
    },
  };

  async function restart(order: UnfinishedOrder, port: WorkflowPort): Promise<{ readonly repaired: string } | "broken" | undefined> {
    const { orderId, stuckStep } = order;
    const input = await orderInputOf(db, orderId);
    if (input !== undefined) {
      await port.restartOrder(input);
      // The new saga finds out for itself at which step the lost one was stuck.
      if (stuckStep !== null) await noteStuck(db, { orderId, was: stuckStep, reason: "" });
      return { repaired: `order ${orderId} was ${order.sagaState} and had no workflow; it was started again` };
    }
    const identity = await findOrderIdentity(db, orderId);
    if (identity === undefined || isFinal(identity.sagaState)) return undefined;
    await noteStuck(db, { orderId, step: "run the order", reason: "its workflow is gone and its request was not saved" });
    return "broken";
  }
}
