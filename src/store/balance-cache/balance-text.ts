import type { CurrencyBalance, VersionedBalances } from "../ledger/balance-reader.ts";

/** Of a user without an account. */
export const NO_BALANCES: VersionedBalances = { version: 0n, balances: [] };

const NUMBER = /^-?\d+$/;

/** The balances as the cache keeps them, such as `7 RUB 1000 0 USD 5 0`. */
export function balancesToText({ version, balances }: VersionedBalances): string {
  return [version, ...balances.flatMap(({ currency, availableMinor, heldMinor }) => [currency, availableMinor, heldMinor])].join(" ");
}

/** The balances in a text that `balancesToText` wrote; undefined for any other text. */
export function balancesFromText(text: string): VersionedBalances | undefined {
  const [version = "", ...rest] = text.split(" ");
  if (!NUMBER.test(version) || rest.length % 3 !== 0) return undefined;
  const balances: CurrencyBalance[] = [];
  for (let place = 0; place < rest.length; place += 3) {
    const [currency = "", available = "", held = ""] = rest.slice(place, place + 3);
    if (!NUMBER.test(available) || !NUMBER.test(held)) return undefined;
    balances.push({ currency, availableMinor: BigInt(available), heldMinor: BigInt(held) });
  }
  return { version: BigInt(version), balances };
}
