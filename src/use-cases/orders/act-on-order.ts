import { withinOrThrow } from "../../base/deadline.ts";
import { DomainError } from "../../base/errors.ts";
import type { OperatorAct } from "../../contract/operator-acts.ts";
import type { OrderSagaStatus } from "../../contract/orders.ts";
import { FAILED_REFUND_STEP, refundOfStep } from "../../contract/refunds.ts";
import type { Starters } from "../../starters/index.ts";
import { recordAct } from "../../store/operators/operator-acts.ts";
import { settleByHand, type OrderRecord } from "../../store/orders/orders.ts";
import type { Db } from "../../store/postgres/database.ts";
import { ACTIVE_DEADLINE_MS } from "./find-order.ts";

type Standing = Pick<OrderSagaStatus, "stuck" | "possibleActs">;

interface Wish {
  readonly act: OperatorAct["act"];
  /** The stuck step that is meant; without it, what is stuck. */
  readonly step: string | undefined;
  readonly reason: string;
  readonly actor: string;
  readonly correlationId: string;
}

/**
 * Has an order's stuck step, or its refund's, retried, skipped or settled as an operator decided. The act is recorded before it takes
 * effect. Answers the step it was about. Safe to retry: a step that is not stuck any more refuses.
 * Throws: ORDER_STATE_CONFLICT when nothing, or something else, is stuck; ACT_NOT_POSSIBLE; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function actOnOrder(
  deps: { readonly db: Db; readonly starters: Pick<Starters, "orderStatus" | "refundStatus" | "actOnOrder" | "actOnRefund"> },
  { orderId, stuckStep }: Pick<OrderRecord, "orderId" | "stuckStep">,
  wish: Wish,
): Promise<{ readonly step: string }> {
  const { db, starters } = deps;
  const { act, reason, actor, correlationId } = wish;
  const subject = { subjectType: "order", subjectId: orderId } as const;
  if (stuckStep === FAILED_REFUND_STEP && (wish.step ?? stuckStep) === stuckStep) {
    // The order's workflow has ended, and nothing asks the provider again.
    if (act !== "settle") throw new DomainError("ACT_NOT_POSSIBLE", `"${stuckStep}" takes only settle`);
    await recordAct(db, { actor, act: "order.settle", ...subject, reason, details: { step: stuckStep }, correlationId });
    await settleByHand(db, { orderId, step: stuckStep, act, reason, actor });
    return { step: stuckStep };
  }
  // A refund is stuck after its order has ended, and has a workflow of its own.
  const refundId = refundOfStep(wish.step ?? stuckStep);
  const asked = refundId === undefined ? starters.orderStatus(orderId) : starters.refundStatus(orderId, refundId);
  const { stuck, possibleActs = [] } = (await withinOrThrow<Standing | undefined>(asked, ACTIVE_DEADLINE_MS)) ?? {};
  if (stuck === undefined) throw new DomainError("ORDER_STATE_CONFLICT", "nothing of this order is stuck");
  if (wish.step !== undefined && wish.step !== stuck) throw new DomainError("ORDER_STATE_CONFLICT", `what is stuck is "${stuck}"`);
  if (!possibleActs.includes(act)) throw new DomainError("ACT_NOT_POSSIBLE", `"${stuck}" takes only ${possibleActs.join(" and ")}`);
  await recordAct(db, { actor, act: `order.${act}`, ...subject, reason, details: { step: stuck }, correlationId });
  const decision = { act, step: stuck, reason, actor };
  const told = refundId === undefined ? starters.actOnOrder(orderId, decision) : starters.actOnRefund(orderId, refundId, decision);
  if (!(await told)) throw new DomainError("ORDER_STATE_CONFLICT", "the order has ended meanwhile");
  return { step: stuck };
}
