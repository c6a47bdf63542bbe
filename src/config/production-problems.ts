import { isLoopbackAddress } from "../base/loopback.ts";
import { partsOf } from "./lists.ts";
import { isPspUrlUnused } from "./psp-settings.ts";
import { SERVER_VARIABLES } from "./server-variables.ts";

/** What a process does, as far as it makes a setting dangerous. */
export interface Duties {
  /** It takes requests over HTTP. */
  readonly listens?: boolean;
  /** It asks the payment provider. */
  readonly pays?: boolean;
  /** It plays the payment provider. */
  readonly plays?: boolean;
  /** It decrypts, for pages, what Temporal keeps. */
  readonly decrypts?: boolean;
}

/** The variables as they were given, before they are read: what cannot be read is named in the same list. */
type Given = Readonly<Record<string, string | undefined>>;
type Problem = readonly [variable: string, sentence: string];

/** What .env.example and the pages show in the place of a secret, and what servers come with. */
const EVERYBODY_KNOWS = new Set(["password", "postgres", "saldo", "temporal", "secret", "the-secret", "admin", "at-least-16-characters"]);
const SECRETS = [
  "PSP_API_KEY",
  "METRICS_TOKEN",
  // Temporal's own, for its database: docker-compose.production.yml shows it to the migration, so that it is looked at.
  "TEMPORAL_DB_PASSWORD",
  ...Object.keys(SERVER_VARIABLES).filter((name) => /(?:PASSWORD|SECRET|API_KEY)$/.test(name)),
];
const WITH_PASSWORD = ["DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL"] as const;

/**
 * The weak defaults by which a production (NODE_ENV=production) would be open or would move no money, each with the variable and the mend.
 * Never a value, as a value may be a secret.
 */
export function* productionProblems(given: Given, duties: Duties): Generator<Problem> {
  if (given["NODE_ENV"] !== "production") return;
  yield* secretProblems(given);
  if (given["AUTH_MODE"] === "off") yield ["AUTH_MODE", "must not be off in production: everybody could do everything; leave it out"];
  if (duties.listens === true) yield* openLineProblems(given);
  yield* providerProblems(given, duties);
  const page = given["CODEC_ORIGIN"]?.trim();
  if (duties.decrypts === true && page !== undefined && !isSafeUrl(page))
    yield [
      "CODEC_ORIGIN",
      "must be https in production, unless it is a loopback address: whoever changes that page on its way reads what it decrypts",
    ];
}

function* secretProblems(given: Given): Generator<Problem> {
  const mend = "everybody knows it; make another one with `openssl rand -hex 16` and give it to the other end too";
  // It has another form, and no other end.
  const mendOfKey = "make another one with `openssl rand -base64 32`";
  for (const name of WITH_PASSWORD) {
    const password = passwordOf(given[name]);
    if (password !== undefined && isKnown(password)) yield [name, `has a password that is an example: ${mend}`];
  }
  for (const name of SECRETS) {
    // Nobody is shown it then, and compose wants a value here all the same.
    if (name === "PSP_API_KEY" && isPspUrlUnused(given["PSP_KIND"])) continue;
    const secret = given[name];
    if (secret !== undefined && isKnown(secret)) yield [name, `is an example: ${mend}`];
  }
  const key = given["WEBHOOK_ENCRYPTION_SECRET"];
  if (key !== undefined && isKnown(key)) yield ["WEBHOOK_ENCRYPTION_SECRET", `is an example: everybody knows it; ${mendOfKey}`];
  if (key !== undefined && new Set(Buffer.from(key, "base64")).size === 1)
    yield ["WEBHOOK_ENCRYPTION_SECRET", `is one byte again and again; ${mendOfKey}`];
}

function* openLineProblems(given: Given): Generator<Problem> {
  const host = given["HTTP_HOST"] ?? "127.0.0.1";
  const hasTls = given["HTTP_TLS_CERT"] !== undefined;
  const proxies = partsOf(given["TRUSTED_PROXIES"] ?? "");
  const isBehind = proxies.length > 0 || given["ALLOW_INSECURE_BIND"] === "container";
  if (proxies.some((range) => range.endsWith("/0")))
    yield [
      "TRUSTED_PROXIES",
      "names every address there is: anybody could write in X-Forwarded-For by which address they are counted; give the proxies' own",
    ];
  if (!isLoopbackAddress(host) && !hasTls && !isBehind)
    yield [
      "HTTP_HOST",
      "is reachable from elsewhere over plain HTTP, by which tokens go: give HTTP_TLS_CERT and HTTP_TLS_KEY, or the proxy that speaks HTTPS as TRUSTED_PROXIES, or a loopback address",
    ];
  const server = given["SERVER_URL"]?.trim();
  if (server !== undefined && !isSafeUrl(/^https?:\/\//.test(server) ? server : `http://${server}`))
    yield ["SERVER_URL", "must begin with https:// in production: it is where clients send their tokens"];
}

function* providerProblems(given: Given, { pays, plays }: Duties): Generator<Problem> {
  const kind = given["PSP_KIND"];
  const url = given["PSP_URL"]?.trim();
  if (plays === true && kind !== "simulator")
    yield ["PSP_KIND", "must be simulator for a payment provider that is played: in production it confirms cards and moves no money"];
  if (pays !== true) return;
  if (kind === undefined && url === undefined)
    yield [
      "PSP_KIND",
      "names no payment provider, and one that is played is never the default in production: give PSP_URL and PSP_API_KEY, or PSP_KIND=stripe, or PSP_KIND=simulator for one that confirms cards and moves no money, or PSP_KIND=none where no cards are taken",
    ];
  if (kind !== "simulator" && !isPspUrlUnused(kind) && url !== undefined && !isSafeUrl(url))
    yield [
      "PSP_URL",
      "must be https in production, unless it is a loopback address: cards go there; a simulator is asked for by PSP_KIND=simulator",
    ];
}

function isKnown(secret: string): boolean {
  const word = secret.trim().toLowerCase();
  return word.startsWith("change-me") || word.startsWith("changeme") || EVERYBODY_KNOWS.has(word);
}

function passwordOf(address: string | undefined): string | undefined {
  if (address === undefined || !URL.canParse(address)) return undefined;
  try {
    const password = decodeURIComponent(new URL(address).password);
    return password === "" ? undefined : password;
  } catch {
    return undefined;
  }
}

/** What cannot be read as an address is told of elsewhere. */
function isSafeUrl(address: string): boolean {
  if (!URL.canParse(address)) return true;
  const { protocol, hostname } = new URL(address);
  return protocol === "https:" || isLoopbackAddress(hostname);
}
