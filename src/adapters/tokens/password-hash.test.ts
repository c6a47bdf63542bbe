import { hash } from "@node-rs/argon2";
import { expect, it } from "vitest";
import { createPasswordHasher } from "./password-hash.ts";

const PASSWORD = "correct horse battery";

it("a password is right for its own hash only, and every hash has its own salt", async () => {
  const passwords = createPasswordHasher();
  const [first, second] = await Promise.all([passwords.hash(PASSWORD), passwords.hash(PASSWORD)]);
  expect(first).toMatch(/^\$argon2id\$v=19\$m=47104,t=1,p=1\$/);
  expect(first).not.toBe(second);
  expect(await passwords.check(PASSWORD, first)).toBe("right");
  expect(await passwords.check(`${PASSWORD} `, first)).toBe("wrong");
  expect(await passwords.check(PASSWORD, undefined)).toBe("wrong");
});

it("a hash of other parameters is told apart", async () => {
  const weaker = await hash(PASSWORD, { memoryCost: 19_456, timeCost: 2 });
  expect(await createPasswordHasher().check(PASSWORD, weaker)).toBe("stale");
  expect(await createPasswordHasher().check("another password", weaker)).toBe("wrong");
});

// One password in both forms: `é`, `й` and a Hangul syllable are one character each or two and three.
const COMPOSED = "caf\u00e9 \u0439ogurt \ud55c!";
const DECOMPOSED = COMPOSED.normalize("NFD");
const MIXED = "cafe\u0301 \u0439ogurt \ud55c!";

it("a password is one in every Unicode form", async () => {
  const passwords = createPasswordHasher();
  for (const registered of [COMPOSED, DECOMPOSED, MIXED]) {
    const known = await passwords.hash(registered);
    for (const typed of [COMPOSED, DECOMPOSED, MIXED]) expect(await passwords.check(typed, known)).toBe("right");
    expect(await passwords.check("cafe yogurt \ud55c!", known)).toBe("wrong");
  }
});

it("a hash that an earlier release made of the form that was typed is found by both forms, and is to be made anew", async () => {
  const passwords = createPasswordHasher();
  const parameters = { memoryCost: 47_104, timeCost: 1, parallelism: 1 };
  const [composed, decomposed, mixed] = await Promise.all([COMPOSED, DECOMPOSED, MIXED].map((text) => hash(text, parameters)));
  expect(await passwords.check(DECOMPOSED, composed)).toBe("right");
  expect(await passwords.check(DECOMPOSED, decomposed)).toBe("stale");
  expect(await passwords.check(COMPOSED, decomposed)).toBe("stale");
  expect(await passwords.check(MIXED, mixed)).toBe("stale");
  expect(await passwords.check(`${COMPOSED} `, decomposed)).toBe("wrong");
});

it("32 are taken at once, two of them at work, and one more is told to come again", async () => {
  const passwords = createPasswordHasher();
  const calls = Array.from({ length: 33 }, () => passwords.check(PASSWORD, undefined));
  const results = await Promise.allSettled(calls);
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(32);
  expect(results.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "UNAVAILABLE" } });
  expect(await passwords.check(PASSWORD, undefined)).toBe("wrong");
});
