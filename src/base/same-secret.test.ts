import { expect, it } from "vitest";
import { matcherOf } from "./same-secret.ts";

it("the secret is the whole text and nothing but it", () => {
  const isSecret = matcherOf("Bearer a-secret");
  expect(isSecret("Bearer a-secret")).toBe(true);
  for (const text of ["", "Bearer a-secre", "Bearer a-secrets", "bearer a-secret", "x".repeat(100_000)]) expect(isSecret(text)).toBe(false);
});
