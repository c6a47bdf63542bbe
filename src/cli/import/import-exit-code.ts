import type { ImportTally } from "./count-fates.ts";

/**
 * How the import of a file ends: 1 when a row is unaccounted for; 3 when a row was no event and was not produced, or when none of the file's rows
 * took effect, now or from before; else 0. A script that looks at nothing else learns that rows of its file were not taken.
 */
export function importExitCode(
  { missing, applied, earlier }: Pick<ImportTally, "missing" | "applied" | "earlier">,
  badRowCount: number,
): 0 | 1 | 3 {
  if (missing > 0) return 1;
  return badRowCount > 0 || applied + earlier.applied === 0 ? 3 : 0;
}
