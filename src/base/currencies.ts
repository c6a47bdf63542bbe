/**
 * The currencies that amounts can be kept in, with their decimals: list one of ISO 4217 as of its amendment 180, published by SIX, the
 * standard's maintenance agency (https://www.six-group.com/en/products-services/financial-information/data-standards.html).
 * `npm run check` says when the list is older than a year.
 */
export const CURRENCY_LIST_DATE = "2026-01-01";

/** `PTS` are loyalty points. `Intl` is not used: it follows CLDR, which gives IQD 0 decimals where ISO gives 3. */
const BY_DECIMALS: Readonly<Record<number, string>> = {
  0: "BIF CLP DJF GNF ISK JPY KMF KRW PTS PYG RWF UGX UYI VND VUV XAF XOF XPF",
  2:
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW " +
    "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR " +
    "ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR " +
    "MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP " +
    "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG XSU XUA YER ZAR ZMW ZWG",
  3: "BHD IQD JOD KWD LYD OMR TND",
  4: "CLF UYW",
};

/**
 * Codes that list one has lost since Saldo first knew it (2024-06-25). They stay: money of that time lies in them, and must be shown, paid out
 * and reported for ever. All have two decimals.
 */
const KEPT = "ANG BGN CUC SLL ZWL";

const DECIMALS: ReadonlyMap<string, number> = new Map(
  [...Object.entries(BY_DECIMALS), ["2", KEPT] as const].flatMap(([decimals, codes]) =>
    codes.split(" ").map((code) => [code, Number(decimals)] as const),
  ),
);

/** The decimals of a currency; undefined when amounts cannot be kept in it. */
export function decimalsOf(currency: string): number | undefined {
  return DECIMALS.get(currency);
}
