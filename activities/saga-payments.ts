import { sagaCommandWorkflowId } from "../src/contract/ids.ts";
import type { SagaCommandInput, SagaCommandKind, SagaCommandResult } from "../src/contract/events.ts";
import { sagaChargeFence, sagaChargeOperation, sagaRefundOperation, type SagaPayment } from "../src/domain/wallet-operations.ts";
import { ERROR_CATALOGUE } from "../src/errors.ts";
import type { PostResult } from "../src/store/ledger.ts";
import { sendSagaReply, type SagaReply } from "../src/store/saga-outbox.ts";
import type { ActivityDeps } from "./activity-deps.ts";
import { currentOrigin } from "./execution.ts";

/** The payment side of saga.commands: what the `sagaCommand` workflow does in the world. */
export function createSagaPaymentActivities({ db, ledger }: Pick<ActivityDeps, "db" | "ledger">) {
  const charge = async (input: SagaCommandInput): Promise<Decision> => {
    const result = await ledger.post(sagaChargeOperation(paymentOf(input, "CHARGE")));
    return decisionOf(result);
  };

  // First the charge's own key is asked, in a way that can only refuse: what was not charged by now never will be.
  const refund = async (input: SagaCommandInput): Promise<Decision> => {
    const charged = await ledger.post(sagaChargeFence(paymentOf(input, "CHARGE")));
    if (charged.outcome === "conflict") return { outcome: "failed", error: "CONFLICT: the charge was of another amount or user" };
    if (charged.outcome === "refused") return { outcome: "succeeded" };
    const decision = decisionOf(await ledger.post(sagaRefundOperation(paymentOf(input, "REFUND"))));
    return decision.outcome === "succeeded" ? { ...decision, paymentId: charged.operationId } : decision;
  };

  return {
    /**
     * Charges the wallet or gives the charge back. Safe to retry: saga and command are the permanent key. A REFUND of what was never
     * charged succeeds, and the CHARGE that comes after it is refused.
     * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
     */
    async executeSagaCommand(input: SagaCommandInput): Promise<SagaCommandResult> {
      const { amountMinor, currency, userId } = input;
      return { ...(await (input.command === "CHARGE" ? charge(input) : refund(input))), amountMinor, currency, userId };
    },

    /** Answers the command on saga.replies. At least once. */
    replyToSaga: (reply: SagaReply): Promise<void> => sendSagaReply(db, reply),
  };
}

type Decision = Pick<SagaCommandResult, "outcome" | "paymentId" | "error">;

function decisionOf(result: PostResult): Decision {
  switch (result.outcome) {
    case "done":
      return { outcome: "succeeded", paymentId: result.operationId };
    case "refused":
      return { outcome: "failed", error: `${result.code}: ${ERROR_CATALOGUE[result.code].title}` };
    case "conflict":
      return { outcome: "conflict" };
  }
}

function paymentOf(input: SagaCommandInput, command: SagaCommandKind): SagaPayment {
  return {
    key: sagaCommandWorkflowId(input.sagaId, command),
    userId: input.userId,
    currency: input.currency,
    amountMinor: BigInt(input.amountMinor),
    orderId: input.orderId,
    ...(input.serviceId === undefined ? {} : { serviceId: input.serviceId }),
    comment: input.comment,
    origin: currentOrigin({ caller: "saga.commands", correlationId: input.correlationId }),
  };
}
