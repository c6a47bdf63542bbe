import { stepKey } from "../../src/contract/ids.ts";
import type { OrderSagaInput } from "../../src/contract/orders.ts";
import { chargeOrderOperation, type OrderOfLines } from "../../src/domain/ledger/hold-operations.ts";
import type { Operation } from "../../src/domain/ledger/operations.ts";

/** A run of an order's workflow. The workflow's id is part of the ledger's keys. */
export interface WorkflowRun {
  readonly workflowId: string;
  readonly runId: string;
}

/** The two moves of an order that its money brings about. */
export const HELD = { from: "STARTED", to: "PAYMENT_PENDING", status: "PENDING" } as const;
export const CAPTURED = { from: "PAYMENT_PENDING", to: "COMPLETED", status: "CONFIRMED" } as const;

/** What the operations of an order's steps have in common, under the step's own key. */
export function orderOperation(order: OrderSagaInput, run: WorkflowRun, step: "hold" | "capture" | "release"): OrderOfLines {
  return {
    key: stepKey(run.workflowId, step),
    orderId: order.orderId,
    userId: order.userId,
    currency: order.currency,
    lines: order.lines,
    comment: order.comment,
    origin: originOf(order, run),
  };
}

/** The revenue of an order that somebody outside has paid, with which it is COMPLETED. */
export function chargeOperation(order: OrderSagaInput, run: WorkflowRun): Operation {
  const orderChange = { ...CAPTURED, orderId: order.orderId };
  return chargeOrderOperation({ ...order, key: stepKey(run.workflowId, "charge"), origin: originOf(order, run), orderChange });
}

function originOf({ caller, correlationId }: OrderSagaInput, { workflowId, runId }: WorkflowRun) {
  return { caller, correlationId, workflowId, runId };
}
