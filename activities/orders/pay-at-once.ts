import { dropOldest } from "../../src/base/drop-oldest.ts";
import { domainErrorIn } from "../../src/base/errors.ts";
import { ORDER_HOLD_TTL_MS } from "../../src/contract/order-times.ts";
import type { OrderSagaInput } from "../../src/contract/orders.ts";
import { captureOrderOperation, holdOrderOperation } from "../../src/domain/ledger/hold-operations.ts";
import { createPauseCheck } from "../../src/store/operators/pauses.ts";
import { newOrderRow, type OrderStanding } from "../../src/store/orders/orders.ts";
import type { ActivityDeps, PayAtOnce } from "../activity-deps.ts";
import { concernedBy } from "../pausing.ts";
import { CAPTURED, HELD, orderOperation, type WorkflowRun } from "./order-operations.ts";

/** The most attempts that are kept for their workflows; the oldest is let go, and its workflow makes the attempt itself. */
const MAX_KEPT = 1_000;

/** The payments at once of one process. */
export function createPayAtOnce({ db, ledger, tellOrderEnd = () => {} }: Pick<ActivityDeps, "db" | "ledger" | "tellOrderEnd">): PayAtOnce {
  const pauseFor = createPauseCheck(db);
  const begun = new Map<string, Promise<OrderStanding | undefined>>();

  const attempt = async (order: OrderSagaInput, run: WorkflowRun): Promise<OrderStanding | undefined> => {
    const { orderId, requestHash } = order;
    if ((await pauseFor(concernedBy(order))) !== undefined) return undefined;
    const expiresAt = new Date(Date.now() + ORDER_HOLD_TTL_MS).toISOString();
    const held = { ...HELD, orderId, creates: newOrderRow({ ...order, workflowId: run.workflowId }) };
    const hold = holdOrderOperation({ ...orderOperation(order, run, "hold"), expiresAt, requestHash, orderChange: held });
    const capture = captureOrderOperation({ ...orderOperation(order, run, "capture"), orderChange: { ...CAPTURED, orderId } });
    const [first, second] = await ledger.postPair([hold, capture]).catch((error: unknown) => {
      if (domainErrorIn(error) === undefined) throw error;
      return [];
    });
    if (first?.outcome !== "done" || second?.outcome !== "done") return undefined;
    // Not brought into the cache: most orders are never read, and the first read of one brings it there.
    const createdHere = first.createdOrder === true;
    tellOrderEnd({ orderId, sagaState: "COMPLETED", ...(createdHere ? { paidAt: second.recordedAt } : {}) });
    return { created: createdHere, sagaState: CAPTURED.to, status: CAPTURED.status, requestHash };
  };

  return {
    pay(order, run) {
      const known = begun.get(run.runId);
      begun.delete(run.runId);
      return known ?? attempt(order, run);
    },
    ahead(order, run) {
      const paying = attempt(order, run);
      begun.set(run.runId, paying);
      // A broken attempt is not handed on: the step makes its own.
      paying.catch(() => begun.delete(run.runId));
      dropOldest(begun, MAX_KEPT);
    },
  };
}
