import { setCurrentDetails } from "@temporalio/workflow";
import type { SagaCommandInput, SagaCommandResult } from "../../src/contract/saga-commands.ts";
import { withoutEnd } from "../orders/compensation.ts";

/** The payment side of a saga: charges a wallet or gives the charge back, once, and answers on saga.replies. Never fails: it waits. What was not done is not answered. */
export async function sagaCommand(input: SagaCommandInput): Promise<SagaCommandResult> {
  const { sagaId, command, orderId, correlationId } = input;
  const result = await withoutEnd((by) => by.executeSagaCommand(input));
  setCurrentDetails(`${command} of saga \`${sagaId}\`: ${result.outcome}${result.error === undefined ? "" : ` (${result.error})`}.`);
  const { outcome, paymentId, error } = result;
  if (outcome === "conflict" || outcome === "impossible") return result;
  const status = outcome === "succeeded" ? "SUCCEEDED" : "FAILED";
  const reply = {
    sagaId,
    orderId,
    command,
    status,
    correlationId,
    ...(paymentId === undefined ? {} : { paymentId }),
    ...(error === undefined ? {} : { error }),
  } as const;
  await withoutEnd((by) => by.replyToSaga(reply));
  return result;
}
