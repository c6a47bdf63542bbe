const YEAR_MS = 365 * 24 * 3_600_000;

/** What is wrong with a list of currencies of that date, in a sentence; undefined while it is at most a year old. */
export function ageProblem(listDate: string, nowMs: number): string | undefined {
  if (nowMs - Date.parse(listDate) <= YEAR_MS) return undefined;
  return `the list of currencies is of ${listDate}, older than a year: compare src/base/currencies.ts with list one of ISO 4217 and its amendments, and set its date`;
}
