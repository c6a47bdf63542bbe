/** Maps values to places on an axis, and the values at which the axis has a mark. */
export interface Scale {
  at(value: number): number;
  readonly marks: readonly number[];
}

/** An axis from 0 to at least `highest`, with round marks. */
export function linearScale(highest: number, from: number, to: number): Scale {
  const step = roundStep((highest > 0 ? highest : 1) / 5);
  const top = Math.max(step, Math.ceil(highest / step) * step);
  const marks = Array.from({ length: Math.round(top / step) + 1 }, (_, place) => place * step);
  return { at: (value) => from + ((to - from) * value) / top, marks };
}

/** A logarithmic axis over whole powers of ten that holds `lowest` and `highest`, both above zero. */
export function logScale(lowest: number, highest: number, from: number, to: number): Scale {
  const low = Math.floor(Math.log10(lowest));
  const high = Math.max(low + 1, Math.ceil(Math.log10(highest)));
  const marks = Array.from({ length: high - low + 1 }, (_, place) => 10 ** (low + place));
  return { at: (value) => from + ((to - from) * (Math.log10(value) - low)) / (high - low), marks };
}

/** The smallest of 1, 2 and 5 times a power of ten that is not below `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10) * power;
}
