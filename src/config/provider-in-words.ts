import { readFileSync } from "node:fs";
import { pspKindOf, type PspKind } from "./psp-settings.ts";

interface ProviderVariables {
  readonly PSP_KIND?: PspKind | undefined;
  readonly PSP_URL?: string | undefined;
  readonly STRIPE_API_URL: string;
  readonly STRIPE_SECRET_KEY?: string | undefined;
  readonly STRIPE_SECRET_KEY_FILE?: string | undefined;
}

/** The address of the configured payment provider; undefined where none is known, or none is to be asked. */
export function providerUrl(config: ProviderVariables): string | undefined {
  const kind = pspKindOf(config);
  if (kind === "none") return undefined;
  return kind === "stripe" ? config.STRIPE_API_URL : config.PSP_URL;
}

/** The payment provider by kind and host, such as `stripe at api.stripe.com`; never a key. Undefined where none is configured. */
export function providerInWords(config: ProviderVariables): string | undefined {
  const kind = pspKindOf(config);
  if (kind === undefined) return undefined;
  const url = providerUrl(config);
  const words = wordsOf(kind, config);
  return url === undefined ? words : `${words} at ${new URL(url).host}`;
}

function wordsOf(kind: PspKind, config: ProviderVariables): string {
  if (kind === "none") return "none (cards are refused)";
  if (kind === "simulator") return "simulator (confirms cards, moves no money)";
  return kind === "stripe" && isOfTestMode(config) ? "stripe in test mode (confirms cards, moves no money)" : kind;
}

// Stripe's keys say by their beginning whether money moves: https://docs.stripe.com/keys.
function isOfTestMode({ STRIPE_SECRET_KEY: key, STRIPE_SECRET_KEY_FILE: file }: ProviderVariables): boolean {
  return /^\s*[rs]k_test_/.test(key ?? (file === undefined ? "" : textOf(file)));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Whoever pays with it says that it cannot be read.
    return "";
  }
}
