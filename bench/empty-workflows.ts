import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Client } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import type { emptyWorkflow } from "./empty-workflow.ts";

const TASK_QUEUE = "bench";

export interface EmptyWorkflows {
  /** Runs one workflow from its start to its result. `eager` lets the worker of this process take its first task without a dispatch. */
  execute(options: { eager: boolean }): Promise<void>;
  close(): Promise<void>;
}

/** The baseline: a worker for empty workflows in this process, on the server and with the connection that are measured. */
export async function createEmptyWorkflows(options: { address: string; namespace: string }): Promise<EmptyWorkflows> {
  Runtime.install({ logger: new DefaultLogger("ERROR") });
  const connection = await NativeConnection.connect({ address: options.address });
  const worker = await Worker.create({
    connection,
    namespace: options.namespace,
    taskQueue: TASK_QUEUE,
    workflowsPath: fileURLToPath(new URL("empty-workflow.ts", import.meta.url)),
    maxConcurrentWorkflowTaskExecutions: 100,
  });
  const ended = worker.run();
  ended.catch(() => undefined);
  const client = new Client({ connection, namespace: options.namespace });
  return {
    execute: ({ eager }) =>
      client.workflow.execute<typeof emptyWorkflow>("emptyWorkflow", {
        taskQueue: TASK_QUEUE,
        workflowId: `bench-empty/${randomUUID()}`,
        requestEagerStart: eager,
      }),
    async close() {
      worker.shutdown();
      await ended;
      await connection.close();
    },
  };
}
