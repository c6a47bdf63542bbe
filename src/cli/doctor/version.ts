/** Negative, zero or positive as the first dotted version is older, equal or newer than the second. */
export function compareVersions(first: string, second: string): number {
  const parts = (version: string) => version.split(/[.+-]/).map(Number);
  const [left, right] = [parts(first), parts(second)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
