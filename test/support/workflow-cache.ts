/**
 * How many workflows the workers of a test keep in memory: SALDO_TEST_WORKFLOW_CACHE, or else `usual`. With 0 every workflow is
 * replayed at each of its tasks, which finds non-deterministic code.
 */
export function workflowCacheSize(usual: number): number {
  const wanted = process.env["SALDO_TEST_WORKFLOW_CACHE"];
  return wanted === undefined || wanted === "" ? usual : Number(wanted);
}
