import type { Client } from "@temporalio/client";
import type { OrderSagaInput } from "../../src/contract/orders.ts";
import type { Starters } from "../../src/starters/index.ts";
import type { Db } from "../../src/store/postgres/database.ts";
import type { FakePsp } from "../support/fake-psp.ts";

/** What a scenario works with. */
export interface Recording {
  readonly starters: Starters;
  readonly client: Client;
  readonly db: Db;
  readonly psp: FakePsp;
  /** Gives the user money to spend. */
  readonly fund: (userId: string, amountMinor: bigint) => Promise<void>;
  /** The next `count` attempts at the receivers of webhooks are answered 503. */
  readonly failDeliveries: (count: number) => void;
  /** The next `count` captures do not reach Postgres. */
  readonly loseCaptures: (count: number) => void;
  /** Whether orders are created, held and captured one step after the other, as something that stands in the way has it. */
  readonly payInSteps: (inSteps: boolean) => void;
}

/** One path through the workflows. It answers with the workflow whose history shows it, once that has ended: its last run, or the run named. */
export type Scenario = (recording: Recording) => Promise<string | RecordedRun>;

/** One run of a workflow that went on in another run. */
export interface RecordedRun {
  readonly workflowId: string;
  readonly runId: string;
}

export const WAIT_MS = 20_000;
/** An order of two lines by wallet. */
export const order = (orderId: string): OrderSagaInput => ({
  orderId,
  userId: `user-of-${orderId}`,
  currency: "RUB",
  lines: [
    { lineNo: 1, serviceId: "cleaning", quantity: 1, amountMinor: "7000" },
    { lineNo: 2, serviceId: "delivery", quantity: 2, amountMinor: "3000" },
  ],
  totalMinor: "10000",
  paymentMethod: "wallet",
  comment: "recorded for the replay test",
  requestHash: `hash-of-${orderId}`,
  correlationId: `recording-${orderId}`,
  caller: "recording",
});

/** Runs an order by wallet to its end and answers with its workflow. */
export async function runOrder({ starters, fund }: Recording, orderId: string, fundsMinor: bigint): Promise<string> {
  const input = order(orderId);
  if (fundsMinor > 0n) await fund(input.userId, fundsMinor);
  const started = await starters.startOrder(input);
  if ((await started.outcome(WAIT_MS)) === undefined) throw new Error(`${orderId} did not end`);
  return started.workflowId;
}

/** Waits for a workflow's end and answers with its id. */
export async function untilEnded({ client }: Recording, workflowId: string): Promise<string> {
  await client.withDeadline(Date.now() + WAIT_MS, () => client.workflow.getHandle(workflowId).result());
  return workflowId;
}
