import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../config.ts";
import { providerInWords } from "./provider-in-words.ts";

const words = (environment: Record<string, string>) => providerInWords(loadConfig(environment, "/nonexistent"));

test("the provider is named by kind and host, and told to move no money where it moves none, never with a key", () => {
  const at = { PSP_URL: "https://psp.example/v1", PSP_API_KEY: "0b1c7f8e5d4a39261807" };
  expect(words({})).toBeUndefined();
  expect(words(at)).toBe("http at psp.example");
  expect(words({ ...at, PSP_KIND: "simulator" })).toBe("simulator (confirms cards, moves no money) at psp.example");
  expect(words({ ...at, PSP_KIND: "none" })).toBe("none (cards are refused)");
  const stripe = (key: string) => words({ PSP_KIND: "stripe", STRIPE_SECRET_KEY: key });
  expect(stripe("sk_live_0123456789abcdef")).toBe("stripe at api.stripe.com");
  for (const key of ["sk_test_0123456789abcdef", "rk_test_0123456789abcdef"])
    expect(stripe(key)).toBe("stripe in test mode (confirms cards, moves no money) at api.stripe.com");
  const folder = mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-provider-`));
  const file = join(folder, "key");
  writeFileSync(file, "sk_test_0123456789abcdef\n");
  expect(words({ PSP_KIND: "stripe", STRIPE_SECRET_KEY_FILE: file })).toMatch(/^stripe in test mode/);
  rmSync(folder, { recursive: true });
  expect(words({ PSP_KIND: "stripe", STRIPE_SECRET_KEY_FILE: file })).toBe("stripe at api.stripe.com");
});
