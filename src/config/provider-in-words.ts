import { pspKindOf, type PspKind } from "./psp-settings.ts";

interface ProviderVariables {
  readonly PSP_KIND?: PspKind | undefined;
  readonly PSP_URL?: string | undefined;
  readonly STRIPE_API_URL: string;
}

/** The address of the configured payment provider; undefined where none is known. */
export function providerUrl(config: ProviderVariables): string | undefined {
  return pspKindOf(config) === "stripe" ? config.STRIPE_API_URL : config.PSP_URL;
}

/** The payment provider by kind and host, such as `stripe at api.stripe.com`; never a key. Undefined where none is configured. */
export function providerInWords(config: ProviderVariables): string | undefined {
  const kind = pspKindOf(config);
  if (kind === undefined) return undefined;
  const url = providerUrl(config);
  const words = kind === "simulator" ? "simulator (confirms cards, moves no money)" : kind;
  return url === undefined ? words : `${words} at ${new URL(url).host}`;
}
