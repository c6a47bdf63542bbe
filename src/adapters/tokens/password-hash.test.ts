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

it("32 are taken at once, two of them at work, and one more is told to come again", async () => {
  const passwords = createPasswordHasher();
  const calls = Array.from({ length: 33 }, () => passwords.check(PASSWORD, undefined));
  const results = await Promise.allSettled(calls);
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(32);
  expect(results.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "UNAVAILABLE" } });
  expect(await passwords.check(PASSWORD, undefined)).toBe("wrong");
});
