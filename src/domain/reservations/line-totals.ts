/** Where the money of a reservation is, in minor units: `amountMinor` = confirmed + released + held. */
export interface ReservationMoney {
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly confirmedMinor: bigint;
  readonly releasedMinor: bigint;
  readonly heldMinor: bigint;
}

/** Where the money of a hold is, of which `rescuedMinor` was confirmed after it had gone back. */
export function moneyOfHold(
  hold: { readonly currency: string; readonly amountMinor: bigint; readonly capturedMinor: bigint; readonly releasedMinor: bigint },
  rescuedMinor: bigint,
): ReservationMoney {
  const { currency, amountMinor, capturedMinor, releasedMinor } = hold;
  return {
    currency,
    amountMinor,
    confirmedMinor: capturedMinor + rescuedMinor,
    releasedMinor: releasedMinor - rescuedMinor,
    heldMinor: amountMinor - capturedMinor - releasedMinor,
  };
}

/** The sums of several reservations, one for each currency, in the order in which the currencies come. */
export function lineTotals(lines: readonly ReservationMoney[]): ReservationMoney[] {
  const totals = new Map<string, ReservationMoney>();
  for (const line of lines) {
    const sum = totals.get(line.currency);
    totals.set(
      line.currency,
      sum === undefined
        ? line
        : {
            currency: line.currency,
            amountMinor: sum.amountMinor + line.amountMinor,
            confirmedMinor: sum.confirmedMinor + line.confirmedMinor,
            releasedMinor: sum.releasedMinor + line.releasedMinor,
            heldMinor: sum.heldMinor + line.heldMinor,
          },
    );
  }
  return [...totals.values()];
}
