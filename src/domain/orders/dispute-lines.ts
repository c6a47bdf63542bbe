/** A part of an order's line. The amount is minor units, as text. */
export interface LinePart {
  readonly lineNo: number;
  readonly serviceId: string;
  readonly amountMinor: string;
}

/** A line, and what was given back of it. Amounts in minor units. */
export interface DisputedLine {
  readonly lineNo: number;
  readonly serviceId: string;
  readonly amountMinor: bigint;
  readonly refundedMinor: bigint;
}

/**
 * The parts of an order's lines that a disputed amount is taken from: from what is left of each line, the first line first; what is more
 * than all lines have left, as a bank may take what was refunded before, from the last line.
 */
export function disputedParts(amountMinor: bigint, lines: readonly DisputedLine[]): LinePart[] {
  let openMinor = amountMinor;
  return lines.flatMap(({ lineNo, serviceId, amountMinor: lineMinor, refundedMinor }, place) => {
    const leftMinor = lineMinor - refundedMinor;
    const isLast = place === lines.length - 1;
    const partMinor = isLast || openMinor < leftMinor ? openMinor : leftMinor;
    openMinor -= partMinor;
    return partMinor > 0n ? [{ lineNo, serviceId, amountMinor: partMinor.toString() }] : [];
  });
}
