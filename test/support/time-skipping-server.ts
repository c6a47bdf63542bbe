import { TestWorkflowEnvironment } from "@temporalio/testing";
import { inject } from "vitest";

/** The SDK gives the server 5 s to start, which a Java process on a busy machine may need longer for. */
const STARTS = 4;

/** A Temporal whose clock jumps while a client waits for a result. Throws: the SDK's error when the server starts at none of four tries. */
export async function startTimeSkippingServer(): Promise<TestWorkflowEnvironment> {
  for (let start = 1; ; start += 1) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping({
        server: { executable: { type: "existing-path", path: inject("timeSkippingServerPath") } },
      });
    } catch (error) {
      if (start >= STARTS || !String(error).includes("Failed to start ephemeral server")) throw error;
    }
  }
}
