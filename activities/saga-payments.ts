import { DomainError, ERROR_CATALOGUE, messageOf } from "../src/base/errors.ts";
import { formatAmount } from "../src/base/money.ts";
import { orderWorkflowId, sagaCommandWorkflowId } from "../src/contract/ids.ts";
import type { OrderSagaInput } from "../src/contract/orders.ts";
import type { SagaCommandInput, SagaCommandKind, SagaCommandResult, SagaPaymentRequest } from "../src/contract/saga-commands.ts";
import { sagaChargeFence, sagaChargeOperation, sagaRefundOperation, type SagaPayment } from "../src/domain/ledger/wallet-operations.ts";
import { doneOrThrow } from "../src/store/ledger/done-or-throw.ts";
import type { PostResult } from "../src/store/ledger/ledger.ts";
import { createPauseCheck } from "../src/store/operators/pauses.ts";
import { findOrderIdentity } from "../src/store/orders/order-identity.ts";
import { recordPaymentStep } from "../src/store/orders/payments.ts";
import {
  findSagaOrder,
  noteSagaAuthorised,
  requestSagaCharge,
  requestSagaRefund,
  sendSagaReply,
  type SagaReply,
} from "../src/store/orders/saga-commands.ts";
import { isContentRefused } from "../src/store/postgres/lane.ts";
import type { ActivityDeps } from "./activity-deps.ts";
import { currentOrigin, currentWorkflow } from "./execution.ts";
import { chargeOperation } from "./orders/order-operations.ts";
import { concernedBy, refuseWhilePaused } from "./pausing.ts";

/** Payments over saga.commands and saga.replies: the activities of the payment's side and of the order's side. */
export function createSagaPaymentActivities({ db, ledger, workflows }: Pick<ActivityDeps, "db" | "ledger" | "workflows">) {
  const pauseFor = createPauseCheck(db);

  const charge = async (input: SagaCommandInput): Promise<Decision> => {
    const result = await ledger.post(sagaChargeOperation(paymentOf(input, "CHARGE")));
    return decisionOf(result);
  };

  // The fence is posted under the charge's own key and can only be refused: a CHARGE that has not been executed by now never will be.
  const refund = async (input: SagaCommandInput): Promise<Decision> => {
    const charged = await ledger.post(sagaChargeFence(paymentOf(input, "CHARGE")));
    if (charged.outcome === "conflict") return { outcome: "conflict" };
    if (charged.outcome === "refused") return { outcome: "succeeded" };
    const decision = decisionOf(await ledger.post(sagaRefundOperation(paymentOf(input, "REFUND"))));
    return decision.outcome === "succeeded" ? { ...decision, paymentId: charged.operationId } : decision;
  };

  return {
    /**
     * Charges the wallet, or refunds the charge. Safe to retry: saga and command are the permanent key. A REFUND without a charge
     * succeeds, and a CHARGE that comes after it is refused. A command whose content Postgres refuses at every attempt is answered as
     * `impossible`: nothing was written, so the same command may be sent again once the ledger is mended.
     * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
     */
    async executeSagaCommand(input: SagaCommandInput): Promise<SagaCommandResult> {
      const { amountMinor, currency, userId } = input;
      const content = { amountMinor, currency, userId };
      try {
        return { ...(await (input.command === "CHARGE" ? charge(input) : refund(input))), ...content };
      } catch (error) {
        if (!isContentRefused(error)) throw error;
        return { outcome: "impossible", error: messageOf(error), ...content };
      }
    },

    /**
     * Moves the order to PAYMENT_PENDING and sends its CHARGE, both or none. Safe to retry: it is sent once.
     * Throws: PAUSED, ORDER_STATE_CONFLICT.
     */
    async askForPayment({ order }: { readonly order: OrderSagaInput }): Promise<void> {
      refuseWhilePaused(await pauseFor(concernedBy(order)));
      if (await requestSagaCharge(db, requestOf(order))) return;
      const standing = await findOrderIdentity(db, order.orderId);
      if (standing?.sagaState !== "PAYMENT_PENDING") throw new DomainError("ORDER_STATE_CONFLICT", `the order is ${standing?.sagaState}`);
    },

    /**
     * Sends the order's REFUND, at least once, if its CHARGE was ever sent, and makes sure that a workflow waits for the answer. To be
     * called after beginCompensation only: before the fence a CHARGE could still be sent.
     */
    async askForRefund({ order }: { readonly order: OrderSagaInput }): Promise<void> {
      const request = requestOf(order);
      // Before the REFUND is sent: its answer must find a workflow that waits for it.
      if ((await findSagaOrder(db, order.orderId))?.isAsked === true) await workflows?.followSagaRefund(request);
      await requestSagaRefund(db, request);
      await recordPaymentStep(db, order.orderId, { step: "cancelled" });
    },

    /** Sends a REFUND again, at least once, under the same identity: the payment service refused it or did not answer. */
    askForRefundAgain: (request: SagaPaymentRequest): Promise<void> => requestSagaRefund(db, request),

    /** Posts the amount that the payment service took as revenue, and the order is COMPLETED and CONFIRMED in the same statement. Throws: ORDER_STATE_CONFLICT. */
    async bookSagaPayment({ order, paymentId }: { readonly order: OrderSagaInput; readonly paymentId?: string }): Promise<void> {
      doneOrThrow(await ledger.post(chargeOperation(order, currentWorkflow())));
      await recordPaymentStep(db, order.orderId, {
        step: "captured",
        amountMinor: BigInt(order.totalMinor),
        reference: paymentId ?? orderWorkflowId(order.orderId),
      });
      await noteSagaAuthorised(db, order.orderId);
    },

    /** Sends the reply to a command on saga.replies, at least once. */
    replyToSaga: (reply: SagaReply): Promise<void> => sendSagaReply(db, reply),
  };
}

function requestOf({ orderId, userId, totalMinor, currency, correlationId }: OrderSagaInput): SagaPaymentRequest {
  return { orderId, userId, amount: formatAmount(totalMinor, currency), currency, correlationId };
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
