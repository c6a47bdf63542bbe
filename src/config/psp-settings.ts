import { readFileSync } from "node:fs";
import { z } from "zod";
import { isLoopbackAddress } from "../base/loopback.ts";
import { partsOf } from "./lists.ts";
import { optionalText } from "./optional-text.ts";

/**
 * What stands at the payment provider's end: `http` a provider that speaks Saldo's own protocol at PSP_URL, `simulator` the provider
 * that is played, by name, `stripe` Stripe's API, and `none` nobody, for a system that takes no cards.
 */
export const PSP_KINDS = ["http", "simulator", "stripe", "none"] as const;
export type PspKind = (typeof PSP_KINDS)[number];

/** Where Stripe itself answers. */
const STRIPE_API_URL = "https://api.stripe.com";
/** Shorter keys and secrets are mistakes of copying. */
const MIN_SECRET_LENGTH = 16;

const stripeSecret = z
  .string()
  .trim()
  .regex(/^[\x21-\x7e]+$/, "must be one word of ASCII")
  .min(MIN_SECRET_LENGTH)
  .max(512);

/** The settings of the payment provider's kind, and of Stripe: docs/payments.md. */
export const PSP_SETTINGS = {
  /** Without it `http` where PSP_URL is given; else there is no provider, and `npm start` plays one. */
  PSP_KIND: z.enum(PSP_KINDS, `must be one of ${PSP_KINDS.join(", ")}`).optional(),
  STRIPE_SECRET_KEY: stripeSecret.optional(),
  STRIPE_SECRET_KEY_FILE: optionalText,
  STRIPE_WEBHOOK_SECRETS: optionalText.refine(
    (text) => text === undefined || secretsIn(text).every((secret) => stripeSecret.safeParse(secret).success),
    `must be secrets of at least ${MIN_SECRET_LENGTH} characters, with commas between`,
  ),
  STRIPE_WEBHOOK_SECRETS_FILE: optionalText,
  STRIPE_API_URL: z.url({ protocol: /^https?$/ }).default(STRIPE_API_URL),
  STRIPE_RAW_CARDS: z.enum(["allow", "refuse"]).default("refuse"),
};

interface PspVariables {
  readonly PSP_KIND?: PspKind | undefined;
  readonly PSP_URL?: string | undefined;
  readonly STRIPE_SECRET_KEY?: string | undefined;
  readonly STRIPE_SECRET_KEY_FILE?: string | undefined;
  readonly STRIPE_WEBHOOK_SECRETS?: string | undefined;
  readonly STRIPE_WEBHOOK_SECRETS_FILE?: string | undefined;
  readonly STRIPE_API_URL: string;
}

/** The kind that is asked for, or follows from PSP_URL; undefined where no provider is named at all. */
export function pspKindOf({ PSP_KIND: kind, PSP_URL: url }: Pick<PspVariables, "PSP_KIND" | "PSP_URL">): PspKind | undefined {
  return kind ?? (url === undefined ? undefined : "http");
}

/** True for a PSP_KIND by which nobody is asked at PSP_URL, whatever it says. */
export function isPspUrlUnused(kind: string | undefined): boolean {
  return kind === "stripe" || kind === "none";
}

/** True where `npm start` plays the provider: no other one is named, and none is refused. */
export function isPlayedHere({ PSP_KIND: kind, PSP_URL: url }: Pick<PspVariables, "PSP_KIND" | "PSP_URL">): boolean {
  return url === undefined && !isPspUrlUnused(kind);
}

/** The secrets of a list with commas or line ends between them. */
function secretsIn(text: string): string[] {
  return partsOf(text, /[,\n]/);
}

/** The variables that may name a file of secrets instead of holding them. */
const PSP_SECRETS = ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS"] as const;
export type PspSecret = (typeof PSP_SECRETS)[number];
type SecretVariables = Readonly<Partial<Record<PspSecret | `${PspSecret}_FILE`, string | undefined>>>;

/** The secrets of the variable or of its file, or what is wrong with the file; never what it holds. */
export function readPspSecrets(env: SecretVariables, name: PspSecret): { readonly secrets: string[] } | { readonly problem: string } {
  const file = env[`${name}_FILE`];
  if (file === undefined) return { secrets: secretsIn(env[name] ?? "") };
  try {
    const secrets = secretsIn(readFileSync(file, "utf8"));
    if (secrets.length > 0 && secrets.every((secret) => secret.length >= MIN_SECRET_LENGTH)) return { secrets };
    return { problem: `holds no secret, or one of less than ${MIN_SECRET_LENGTH} characters` };
  } catch {
    return { problem: "is a file that cannot be read" };
  }
}

/** What is wrong with the files of secrets, by variable. Asked by whoever pays alone: others need not be able to read them. */
export function* pspFileProblems(
  env: SecretVariables & { readonly PSP_KIND?: string | undefined },
  { pays }: { readonly pays?: boolean },
): Generator<readonly [string, string]> {
  if (pays !== true || env.PSP_KIND !== "stripe") return;
  for (const name of PSP_SECRETS) {
    const read = readPspSecrets(env, name);
    if ("problem" in read) yield [`${name}_FILE`, read.problem];
  }
}

/** What is wrong with these settings together, by variable; never a value. */
export function* pspProblems(env: PspVariables): Generator<readonly [keyof PspVariables, string]> {
  const { STRIPE_SECRET_KEY: key, STRIPE_SECRET_KEY_FILE: keyFile } = env;
  if (env.PSP_KIND === "http" && env.PSP_URL === undefined) yield ["PSP_URL", "is needed with PSP_KIND=http"];
  for (const name of PSP_SECRETS)
    if (env[name] !== undefined && env[`${name}_FILE`] !== undefined) yield [`${name}_FILE`, `must not be given beside ${name}`];
  const hasKey = key !== undefined || keyFile !== undefined;
  if (env.PSP_KIND === "stripe" && !hasKey) yield ["STRIPE_SECRET_KEY", "is needed with PSP_KIND=stripe, or STRIPE_SECRET_KEY_FILE"];
  // Whoever gives a key and forgets the kind would have every card confirmed by the simulator.
  if (env.PSP_KIND === undefined && hasKey) yield ["PSP_KIND", "is needed with STRIPE_SECRET_KEY: stripe, or the provider that is meant"];
  if (env.PSP_KIND === "simulator" && hasKey)
    yield ["PSP_KIND", "must be stripe with STRIPE_SECRET_KEY: a simulator confirms every card; take the key away to play"];
  const url = new URL(env.STRIPE_API_URL);
  if (url.protocol !== "https:" && !isLoopbackAddress(url.hostname))
    yield ["STRIPE_API_URL", "must be https, unless it is a loopback address"];
  if (url.username !== "" || url.password !== "" || url.pathname !== "/" || url.search !== "")
    yield ["STRIPE_API_URL", "must be a scheme, a host and perhaps a port only"];
}
