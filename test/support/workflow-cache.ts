/**
 * How many workflows the workers of a test keep in memory: `usual`, or what SALDO_TEST_WORKFLOW_CACHE says. With 0 every workflow is
 * replayed at each of its tasks, which finds what is not deterministic.
 */
export function workflowCacheSize(usual: number): number {
  const wanted = process.env["SALDO_TEST_WORKFLOW_CACHE"];
  return wanted === undefined || wanted === "" ? usual : Number(wanted);
}
