import { randomUUID } from "node:crypto";
import { Connection } from "@temporalio/client";
import { temporal } from "@temporalio/proto";
import { SEARCH_ATTRIBUTES } from "../../src/contract/search-attributes.ts";

/** Makes a namespace with Saldo's search attributes and returns its name. Workers of other tests, which use other databases, take none of its tasks. */
export async function makeTestNamespace(address: string): Promise<string> {
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  const { INDEXED_VALUE_TYPE_KEYWORD: KEYWORD, INDEXED_VALUE_TYPE_BOOL: BOOL } = temporal.api.enums.v1.IndexedValueType;
  try {
    const seconds = 86_400 as unknown as NonNullable<
      temporal.api.workflowservice.v1.IRegisterNamespaceRequest["workflowExecutionRetentionPeriod"]
    >["seconds"];
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: { seconds: seconds ?? null } });
    const searchAttributes = Object.fromEntries(
      Object.values(SEARCH_ATTRIBUTES).map((name) => [name, name === SEARCH_ATTRIBUTES.stuck ? BOOL : KEYWORD]),
    );
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
    return namespace;
  } finally {
    await connection.close();
  }
}
