import { DomainError } from "../../base/errors.ts";
import { exponentOf, parseAmount } from "../../base/money.ts";

/** The currency a request names, or the default. Throws: INVALID_CURRENCY with the pointer. */
export function readCurrency(currency: string | undefined, defaultCurrency: string, pointer = "/currency"): string {
  if (currency === undefined) return defaultCurrency;
  return atPointer(pointer, () => {
    exponentOf(currency);
    return currency;
  });
}

/** Minor units of an amount as it was written. Throws: INVALID_AMOUNT with the pointer. */
export function readAmount(digits: string, currency: string, pointer = "/amount"): bigint {
  return atPointer(pointer, () => parseAmount(digits, currency));
}

function atPointer<Value>(pointer: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof DomainError) throw new DomainError(error.code, error.message, { ...error.details, pointer }, error);
    throw error;
  }
}
