import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError, describeConfig, loadConfig } from "../config.ts";
import type { Duties } from "./production-problems.ts";
import { isPlayedHere, pspKindOf } from "./psp-settings.ts";

const load = (environment: Record<string, string>, duties?: Duties) => loadConfig(environment, "/nowhere", duties);
const STRIPE = { PSP_KIND: "stripe", STRIPE_SECRET_KEY: "sk_test_0123456789abcdef" };

function problemsOf(environment: Record<string, string>, duties?: Duties): readonly string[] {
  try {
    load(environment, duties);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("the payment provider's kind", () => {
  it("is http where PSP_URL is given, none where nothing is, and what PSP_KIND says", () => {
    const url = { PSP_URL: "https://psp.example", PSP_API_KEY: "0123456789abcdef" };
    expect(pspKindOf(load(url))).toBe("http");
    expect(pspKindOf(load({}))).toBeUndefined();
    expect(pspKindOf(load({ PSP_KIND: "simulator" }))).toBe("simulator");
    expect(pspKindOf(load({ ...url, PSP_KIND: "simulator" }))).toBe("simulator");
    expect(pspKindOf(load({ ...url, ...STRIPE }))).toBe("stripe");
    expect(pspKindOf(load({ ...url, PSP_KIND: "none" }))).toBe("none");
  });

  it("is played by npm start where no other is named and none is not asked for", () => {
    expect([{}, { PSP_KIND: "simulator" }].map((variables) => isPlayedHere(load(variables)))).toEqual([true, true]);
    for (const variables of [{ PSP_KIND: "none" }, STRIPE, { PSP_URL: "https://psp.example", PSP_API_KEY: "0123456789abcdef" }])
      expect(isPlayedHere(load(variables))).toBe(false);
  });

  it.each([
    [{ PSP_KIND: "http" }, "PSP_URL: is needed with PSP_KIND=http"],
    [{ PSP_KIND: "paypal" }, "PSP_KIND: must be one of http, simulator, stripe, none"],
    [{ PSP_KIND: "stripe" }, "STRIPE_SECRET_KEY: is needed with PSP_KIND=stripe, or STRIPE_SECRET_KEY_FILE"],
    [{ STRIPE_SECRET_KEY: STRIPE.STRIPE_SECRET_KEY }, /^PSP_KIND: is needed with STRIPE_SECRET_KEY/],
    [{ ...STRIPE, PSP_KIND: "simulator" }, /^PSP_KIND: must be stripe with STRIPE_SECRET_KEY/],
    [{ ...STRIPE, STRIPE_SECRET_KEY_FILE: "/k" }, "STRIPE_SECRET_KEY_FILE: must not be given beside STRIPE_SECRET_KEY"],
    [{ ...STRIPE, STRIPE_WEBHOOK_SECRETS: "whsec_0123456789abcdef,short" }, /^STRIPE_WEBHOOK_SECRETS: must be secrets/],
    [{ ...STRIPE, STRIPE_API_URL: "http://stripe.example" }, "STRIPE_API_URL: must be https, unless it is a loopback address"],
    [{ ...STRIPE, STRIPE_API_URL: "https://stripe.example/v1" }, /^STRIPE_API_URL: must be a scheme/],
  ])("is refused in words where a part is missing or contradicts another: %j", (environment, expected) => {
    expect(problemsOf(environment)).toEqual([typeof expected === "string" ? expected : expect.stringMatching(expected)]);
  });

  it.each([
    ["cannot be read", undefined, "is a file that cannot be read"],
    ["is empty", " \n", "holds no secret"],
    ["holds a word that is no key", "sk_test", "holds no secret"],
  ])("is refused before anything starts where a file of Stripe's secrets %s, by whoever pays alone", (_case, text, sentence) => {
    const folder = mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-psp-`));
    const file = join(folder, "secret");
    if (text !== undefined) writeFileSync(file, text);
    const environment = { PSP_KIND: "stripe", STRIPE_SECRET_KEY_FILE: file };
    expect(problemsOf(environment, { pays: true })).toEqual([expect.stringContaining(`STRIPE_SECRET_KEY_FILE: ${sentence}`)]);
    expect(problemsOf({ ...STRIPE, STRIPE_WEBHOOK_SECRETS_FILE: file }, { pays: true })).toEqual([
      expect.stringContaining(`STRIPE_WEBHOOK_SECRETS_FILE: ${sentence}`),
    ]);
    expect(problemsOf(environment, {})).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  it("never shows Stripe's secrets", () => {
    const shown = describeConfig(load({ ...STRIPE, STRIPE_WEBHOOK_SECRETS: "whsec_0123456789abcdef, whsec_fedcba9876543210" }));
    expect(shown["STRIPE_SECRET_KEY"]).toBe("***");
    expect(shown["STRIPE_WEBHOOK_SECRETS"]).toBe("***");
  });
});
