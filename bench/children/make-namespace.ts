import { randomUUID } from "node:crypto";
import { Connection } from "@temporalio/client";
import { SEARCH_ATTRIBUTES } from "../../src/contract/search-attributes.ts";

/** IndexedValueType of the API (temporalio/api, temporal/api/enums/v1/common.proto). */
const [KEYWORD, BOOL] = [2, 5];
const RETENTION_SECONDS = 86_400;
/** A new namespace is known to all parts of the server after some seconds. */
const KNOWN_AFTER_MS = 15_000;

/** Makes a namespace with Saldo's search attributes and returns its name, when workflows can be started in it. */
export async function makeNamespace(address: string): Promise<string> {
  const namespace = `bench-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      // The message's own type wants a Long, and takes a number.
      workflowExecutionRetentionPeriod: { seconds: RETENTION_SECONDS as unknown as null },
    });
    const searchAttributes = Object.fromEntries(
      Object.values(SEARCH_ATTRIBUTES).map((name) => [name, name === SEARCH_ATTRIBUTES.stuck ? BOOL : KEYWORD]),
    );
    for (const endsAtMs = Date.now() + KNOWN_AFTER_MS; ;) {
      try {
        await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
        return namespace;
      } catch (error) {
        if (Date.now() >= endsAtMs) throw error;
        await new Promise((resolve) => void setTimeout(resolve, 200));
      }
    }
  } finally {
    await connection.close();
  }
}
