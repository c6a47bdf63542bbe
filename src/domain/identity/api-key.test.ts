import { expect, it } from "vitest";
import { maskApiKeys } from "../../base/api-key-form.ts";
import { makeApiKeyId, makeApiSecret, readApiKey, writeApiKey } from "./api-key.ts";

it("a key is read back from its text, and no key is like another", () => {
  const parts = Array.from({ length: 100 }, makeApiKeyId).map((keyId) => ({ keyId, secret: makeApiSecret(keyId) }));
  for (const one of parts) expect(readApiKey(writeApiKey(one))).toEqual(one);
  expect(new Set(parts.map(({ keyId }) => keyId)).size).toBe(100);
  expect(new Set(parts.map(({ secret }) => secret)).size).toBe(100);
});

it("a key with any letter changed, cut off or added is none", () => {
  const keyId = makeApiKeyId();
  const key = writeApiKey({ keyId, secret: makeApiSecret(keyId) });
  for (let place = 0; place < key.length; place += 1) {
    const other = key[place] === "a" ? "b" : "a";
    expect(readApiKey(`${key.slice(0, place)}${other}${key.slice(place + 1)}`)).toBeUndefined();
    expect(readApiKey(key.slice(0, place))).toBeUndefined();
  }
  for (const text of [`${key}0`, ` ${key}`, `${key}\n`, key.toUpperCase()]) expect(readApiKey(text)).toBeUndefined();
});

it("in a text that is written the secrets of all keys are masked", () => {
  const keyId = makeApiKeyId();
  const secret = makeApiSecret(keyId);
  const key = writeApiKey({ keyId, secret });
  const masked = maskApiKeys(`Bearer ${key}, ${key.slice(0, 60)} and saldo_live_ alone`);
  expect(masked).toBe(`Bearer saldo_live_${keyId}_****, saldo_live_${keyId}_**** and saldo_live_ alone`);
});
