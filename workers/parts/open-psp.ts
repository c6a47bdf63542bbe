import type { Log } from "../../src/adapters/log.ts";
import { createPsp, type HttpPsp } from "../../src/adapters/psp/psp-http.ts";
import { createStripePsp } from "../../src/adapters/psp/stripe/psp-stripe.ts";
import { createStripeEvents, type ProviderEvents } from "../../src/adapters/psp/stripe/stripe-events.ts";
import { ConfigError, type Config } from "../../src/config.ts";
import { providerUrl } from "../../src/config/provider-in-words.ts";
import { pspKindOf, readPspSecrets, type PspSecret } from "../../src/config/psp-settings.ts";
import { findPaymentReference, keepPaymentReference } from "../../src/store/orders/provider-payments.ts";
import type { Db } from "../../src/store/postgres/database.ts";
import { markOfDatabase } from "../../src/store/postgres/deployment.ts";

/** The payment provider that the configuration names. Throws: ConfigError when a file of a secret cannot be read. */
export function openPsp(config: Config, { db, logger }: { readonly db: Db; readonly logger: Log }): HttpPsp {
  const common = { timeoutMs: config.PSP_TIMEOUT_MS, logger };
  if (pspKindOf(config) !== "stripe") return createPsp({ ...common, url: providerUrl(config), apiKey: config.PSP_API_KEY });
  const [secretKey] = secretsOf(config, "STRIPE_SECRET_KEY");
  if (secretKey === undefined) throw new ConfigError(["STRIPE_SECRET_KEY: is needed with PSP_KIND=stripe, or STRIPE_SECRET_KEY_FILE"]);
  return createStripePsp({
    ...common,
    url: config.STRIPE_API_URL,
    secretKey,
    rawCards: config.STRIPE_RAW_CARDS,
    deployment: onceKnown(() => markOfDatabase(db)),
    references: {
      find: (orderId) => findPaymentReference(db, orderId),
      keep: (orderId, reference) => keepPaymentReference(db, orderId, reference),
    },
  });
}

/** The reader of the provider's signed events, where the configuration has a secret for them. Throws: ConfigError. */
export function providerEventsOf(config: Config): { readonly providerEvents?: ProviderEvents } {
  const secrets = pspKindOf(config) === "stripe" ? secretsOf(config, "STRIPE_WEBHOOK_SECRETS") : [];
  return secrets.length === 0 ? {} : { providerEvents: createStripeEvents({ secrets }) };
}

function secretsOf(config: Config, name: PspSecret): string[] {
  const read = readPspSecrets(config, name);
  if ("problem" in read) throw new ConfigError([`${name}_FILE: ${read.problem}`]);
  return read.secrets;
}

/** Asks until there is an answer, and then never again. */
function onceKnown(ask: () => Promise<string>): () => Promise<string> {
  let known: string | undefined;
  return async () => (known ??= await ask());
}
