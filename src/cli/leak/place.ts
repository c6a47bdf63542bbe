import type { Spelling } from "./finder.ts";

/** One place in which the secret stands. `where` names it for a person, without the secret. */
export interface Finding {
  readonly where: string;
  readonly spelling: Spelling;
}

/** The search of one part of the system, and its findings. */
export interface PlaceReport {
  readonly place: string;
  /** How much was looked at, so that a scan of nothing shows. */
  readonly looked: string;
  readonly findings: readonly Finding[];
  /** True when there was nothing to look at. */
  readonly nothing?: boolean;
}
