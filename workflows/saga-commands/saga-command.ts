import { setCurrentDetails } from "@temporalio/workflow";
import type { SagaCommandInput, SagaCommandResult } from "../../src/contract/saga-commands.ts";
import { withoutEnd } from "../steps/endless.ts";

/**
 * Executes one command of another service's saga: charges a wallet or gives the charge back, once, and replies on saga.replies. Never
 * fails: while the store is away it waits. A command that could not be executed gets no reply; it becomes a dead letter.
 */
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
