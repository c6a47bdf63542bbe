import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Client } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { loadConfig } from "../../src/config.ts";
import type { OrderSagaInput } from "../../src/contract/orders.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { createStarters } from "../../src/starters/index.ts";
import { createSaldoWorkers } from "../../workers/parts/create-worker.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import { closedLoop, oneAtATime } from "../measure/load.ts";
import type { Sample } from "../measure/rounds.ts";
import { idleActivities } from "./idle-activities.ts";
import { makeNamespace } from "./make-namespace.ts";
import { serveParent } from "./serve.ts";

/** What is run: an empty workflow started the ordinary way, or eagerly; one with idle local activities; Saldo's own order over idle activities. */
export type WorkflowKind = "ordinary" | "eager" | "one-step" | "three-steps" | "floor";

export interface WorkflowCommands extends Record<string, (input: never) => Promise<unknown>> {
  /** Keeps some workflows in flight: how many ended per second. */
  rate(input: { kind: WorkflowKind; concurrency: number; durationMs: number }): Promise<Sample>;
  /** One workflow after the other: the median time from its start to its result, in milliseconds. */
  latency(input: { kind: WorkflowKind; durationMs: number }): Promise<Sample>;
}

const TASK_QUEUE = "bench";
const OUTCOME_WAIT_MS = 60_000;
const TYPES = { ordinary: "emptyWorkflow", eager: "emptyWorkflow", "one-step": "oneStep", "three-steps": "threeSteps" } as const;

/**
 * The baselines on Temporal, client and workers in this one process and in a namespace of its own, where no role of Saldo takes a task.
 * The order runs as Saldo runs it: its bundle, its starters and its workers; only its activities do nothing.
 */
serveParent(async ({ address, cacheDir }: { address: string; cacheDir: string }) => {
  Runtime.install({ logger: new DefaultLogger("ERROR") });
  const namespace = await makeNamespace(address);
  const connection = await NativeConnection.connect({ address });
  const plain = await Worker.create({
    connection,
    namespace,
    taskQueue: TASK_QUEUE,
    workflowsPath: fileURLToPath(new URL("../workflows/index.ts", import.meta.url)),
    activities: { doNothing: async () => undefined },
    maxConcurrentWorkflowTaskExecutions: 100,
  });
  const plainEnded = plain.run();
  plainEnded.catch(() => undefined);
  const saldo = await createSaldoWorkers({
    connection,
    namespace,
    taskQueues: [TASK_QUEUES.orders],
    bundlePath: await buildWorkflowBundle(cacheDir),
    activities: idleActivities(),
    cacheSize: loadConfig().WORKFLOW_CACHE_SIZE,
  });
  const client = new Client({ connection, namespace });
  const starters = createStarters({ client, eager: true, deadlineMs: OUTCOME_WAIT_MS });
  const runs = (kind: WorkflowKind) => async (): Promise<void> => {
    if (kind === "floor") return await runOrder(starters);
    await client.workflow.execute(TYPES[kind], {
      taskQueue: TASK_QUEUE,
      workflowId: `bench/${randomUUID()}`,
      requestEagerStart: kind !== "ordinary",
    });
  };
  const commands: WorkflowCommands = {
    rate: ({ kind, ...options }) => closedLoop({ ...options, work: runs(kind) }),
    latency: ({ kind, durationMs }) => oneAtATime({ durationMs, work: runs(kind) }),
  };
  return {
    commands,
    async close() {
      plain.shutdown();
      await Promise.allSettled([plainEnded, saldo.stop()]);
      await connection.close();
    },
  };
});

async function runOrder(starters: ReturnType<typeof createStarters>): Promise<void> {
  const orderId = randomUUID();
  const order: OrderSagaInput = {
    orderId,
    userId: "bench-user-1",
    currency: "RUB",
    lines: [{ lineNo: 1, serviceId: "bench-service", quantity: 1, amountMinor: "100" }],
    totalMinor: "100",
    paymentMethod: "wallet",
    comment: "an order of the benchmark",
    requestHash: "0".repeat(64),
    correlationId: orderId,
    caller: "bench",
  };
  const started = await starters.startOrder(order);
  const outcome = await started.outcome(OUTCOME_WAIT_MS);
  if (outcome?.sagaState !== "COMPLETED") throw new Error(`an order without its work was ${outcome?.sagaState ?? "not finished"}`);
}
