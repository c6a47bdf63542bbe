import type { CpuMeter } from "./measure/cpu-meter.ts";
import type { RowName } from "./report/row-texts.ts";

/** How long and how often is measured, and what. */
export interface Plan {
  /** Pairs of a row. */
  readonly rounds: number;
  /** One side of one round, for what is fast. */
  readonly durationMs: number;
  /** The same for what takes a second for one operation under load. */
  readonly longMs: number;
  readonly wanted: (row: RowName) => boolean;
  readonly say: (text: string) => void;
  readonly meter: CpuMeter;
}
