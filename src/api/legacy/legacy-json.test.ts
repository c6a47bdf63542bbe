import { expect, test } from "vitest";
import { rawNumber } from "../../base/raw-json.ts";
import { legacyAmount, legacyId, writeLegacyJson } from "./legacy-json.ts";

test.each([
  [0n, "RUB", "0"],
  [1n, "RUB", "0.01"],
  [10n, "RUB", "0.1"],
  [10_000n, "RUB", "100"],
  [10_050n, "RUB", "100.5"],
  [-5n, "RUB", "-0.05"],
  [900_719_925_474_099_267n, "RUB", "9007199254740992.67"],
  [1_200n, "JPY", "1200"],
  [1_230n, "KWD", "1.23"],
] as const)("%s minor units of %s are the number %s", (amountMinor, currency, digits) => {
  expect(legacyAmount(amountMinor, currency).raw).toBe(digits);
});

test.each([
  ["1", "1"],
  ["0", "0"],
  ["9007199254740991", "9007199254740991"],
  ["9007199254740992", '"9007199254740992"'],
  ["007", '"007"'],
  ["1.0", '"1.0"'],
  ["-1", '"-1"'],
  ["anna", '"anna"'],
])("the id %s is shown as %s", (id, shown) => {
  expect(writeLegacyJson(legacyId(id))).toBe(shown);
});

test("numbers keep their digits, text is escaped and what is undefined is left out", () => {
  const value = { amount: rawNumber("12345678901234567.89"), name: 'a "b"\n', gone: undefined, list: [true, rawNumber("1")] };
  expect(writeLegacyJson(value)).toBe('{"amount":12345678901234567.89,"name":"a \\"b\\"\\n","list":[true,1]}');
});
