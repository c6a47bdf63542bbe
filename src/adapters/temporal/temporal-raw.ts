import type { Connection } from "@temporalio/client";
import type { temporal } from "@temporalio/proto";

/** A workflow as the server lists it, with its memo as it is stored. */
export interface RawExecution {
  readonly workflowId: string;
  readonly runId: string;
  /** Its end is not there yet: it runs or is paused. */
  readonly isOpen: boolean;
  readonly raw: temporal.api.workflow.v1.IWorkflowExecutionInfo;
}

/** Every workflow of the namespace, open or closed. The client's own list decodes each memo, and fails at one that it cannot read. */
export async function* listRawExecutions(connection: Connection, namespace: string): AsyncGenerator<RawExecution> {
  let nextPageToken: Uint8Array | null | undefined;
  do {
    const page = await connection.workflowService.listWorkflowExecutions({
      namespace,
      ...(nextPageToken == null ? {} : { nextPageToken }),
    });
    for (const raw of page.executions)
      yield { workflowId: raw.execution?.workflowId ?? "", runId: raw.execution?.runId ?? "", isOpen: raw.closeTime == null, raw };
    ({ nextPageToken } = page);
  } while (nextPageToken != null && nextPageToken.length > 0);
}
