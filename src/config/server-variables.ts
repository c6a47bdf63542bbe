import { z } from "zod";
import { isLoopbackAddress } from "../base/loopback.ts";
import { tlsOfPostgresUrl } from "../base/postgres-url.ts";
import { tlsFilesOf, TLS_PARAMETERS, withTls } from "../base/tls-address.ts";
import { isPem, pemFileProblem, type TlsFiles } from "../base/tls-files.ts";
import { optionalText } from "./optional-text.ts";

/** `on` or `off`; `true` and `false` as Temporal's own tools write it. */
const onOrOff = z
  .enum(["on", "off", "true", "false", "1", "0"])
  .transform((text) => ["on", "true", "1"].includes(text))
  .optional();
/** Without the line's end that a file or a vault adds to it. */
const secret = z
  .string()
  .transform((given) => given.replace(/[\r\n]+$/, ""))
  .pipe(z.string().min(1).max(65_536))
  .optional();
/** What cannot stand in a header is repeated by the client's error, and left out in silence by the other client. */
const headerSecret = secret.refine((given) => given === undefined || /^[\x21-\x7e]+$/.test(given), "must be of visible ASCII characters");
const words = z.record(z.string().regex(/^(?!.*-bin$)[a-z0-9_.-]+$/i), z.string().regex(/^[\x20-\x7e]*$/));
/** Headers of every call, as an object in JSON: `{"x-name":"value"}`. */
const headers = z
  .string()
  .transform((json, context): Record<string, string> => {
    try {
      return words.parse(JSON.parse(json));
    } catch {
      context.addIssue({
        code: "custom",
        message: 'must be an object of texts in JSON, such as {"name":"value"}, with names and values that may stand in a header',
      });
      return z.NEVER;
    }
  })
  .optional();

/** The client takes any other parameter for an option of its own, which wins over ours: `tls` over the check of the certificate. */
const REDIS_PARAMETERS = new Set(["db", "family", ...TLS_PARAMETERS]);
/** Such as `rediss://redis.example:6380/2`. */
export const redisUrl = z
  .url({ protocol: /^rediss?$/ })
  .refine((address) => [...new URL(address).searchParams.keys()].every((name) => REDIS_PARAMETERS.has(name)), {
    message: `must not have parameters beside ${[...REDIS_PARAMETERS].join(", ")}`,
  });

/** What Saldo is told of its four servers beside their addresses. */
export const SERVER_VARIABLES = {
  DATABASE_TLS: onOrOff,
  DATABASE_TLS_CA: optionalText,
  DATABASE_TLS_CERT: optionalText,
  DATABASE_TLS_KEY: optionalText,
  DATABASE_TLS_SERVER_NAME: optionalText,
  TEMPORAL_TLS: onOrOff,
  TEMPORAL_TLS_CA: optionalText,
  TEMPORAL_TLS_CERT: optionalText,
  TEMPORAL_TLS_KEY: optionalText,
  TEMPORAL_TLS_SERVER_NAME: optionalText,
  TEMPORAL_API_KEY: headerSecret,
  TEMPORAL_METADATA: headers,
  KAFKA_TLS: onOrOff,
  KAFKA_TLS_CA: optionalText,
  KAFKA_TLS_CERT: optionalText,
  KAFKA_TLS_KEY: optionalText,
  KAFKA_TLS_SERVER_NAME: optionalText,
  KAFKA_SASL_MECHANISM: z.enum(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]).optional(),
  KAFKA_SASL_USERNAME: optionalText,
  KAFKA_SASL_PASSWORD: secret,
  KAFKA_SASL_TOKEN_URL: z
    .url({ protocol: /^https?$/ })
    .refine(
      (address) => new URL(address).username + new URL(address).password === "",
      "must not hold a login; KAFKA_SASL_CLIENT_ID and KAFKA_SASL_CLIENT_SECRET do",
    )
    .optional(),
  KAFKA_SASL_CLIENT_ID: optionalText,
  KAFKA_SASL_CLIENT_SECRET: secret,
  KAFKA_SASL_SCOPE: optionalText,
  REDIS_TLS: onOrOff,
  REDIS_TLS_CA: optionalText,
  REDIS_TLS_CERT: optionalText,
  REDIS_TLS_KEY: optionalText,
  REDIS_TLS_SERVER_NAME: optionalText,
  REDIS_USERNAME: optionalText,
  REDIS_PASSWORD: secret,
} as const;

const variables = z.object(SERVER_VARIABLES);
type Told = z.infer<typeof variables>;

/** The addresses that stand beside them. */
interface Addresses {
  readonly NODE_ENV?: string | undefined;
  readonly DATABASE_URL?: string | undefined;
  readonly DATABASE_ADMIN_URL?: string | undefined;
  readonly TEMPORAL_ADDRESS?: string | undefined;
  readonly KAFKA_BROKERS?: string | undefined;
  readonly REDIS_URL?: string | undefined;
}

type Servers = Told & Addresses;
type Problem = readonly [variable: string, message: string];

const ADDRESS_OF = {
  DATABASE: "DATABASE_URL",
  TEMPORAL: "TEMPORAL_ADDRESS",
  KAFKA: "KAFKA_BROKERS",
  REDIS: "REDIS_URL",
} as const;
type Server = keyof typeof ADDRESS_OF;
const SERVERS = Object.keys(ADDRESS_OF) as Server[];

/** What is wrong with them, by variable; never a value. */
export function* serverProblems(env: Servers): Generator<Problem> {
  for (const server of SERVERS) yield* tlsProblems(env, server);
  yield* saslProblems(env);
  if (env.REDIS_USERNAME !== undefined && env.REDIS_PASSWORD === undefined) yield ["REDIS_PASSWORD", "is needed with REDIS_USERNAME"];
  if (env.REDIS_PASSWORD !== undefined && env.REDIS_URL === undefined) yield ["REDIS_URL", "is needed with REDIS_PASSWORD"];
  if (env.TEMPORAL_API_KEY !== undefined && env.TEMPORAL_ADDRESS === undefined)
    yield ["TEMPORAL_ADDRESS", "is needed with TEMPORAL_API_KEY"];
}

function* tlsProblems(env: Servers, server: Server): Generator<Problem> {
  const files = filesOf(env, server);
  const asked = env[`${server}_TLS`];
  const byAddress = addressAsks(env, server);
  const given = Object.values(files).some((value) => value !== undefined);
  if (asked === true && env[ADDRESS_OF[server]] === undefined) yield [ADDRESS_OF[server], `is needed with ${server}_TLS`];
  const ownerAsks = server === "DATABASE" && env.DATABASE_ADMIN_URL !== undefined ? tlsOfPostgresUrl(env.DATABASE_ADMIN_URL) : undefined;
  if (asked === true && ownerAsks === false) yield ["DATABASE_TLS", "is on, and DATABASE_ADMIN_URL says that there is none"];
  if (asked === false && ownerAsks === true) yield ["DATABASE_TLS", "is off, and DATABASE_ADMIN_URL asks for it"];
  if (asked === true && byAddress === false) yield [`${server}_TLS`, `is on, and ${ADDRESS_OF[server]} says that there is none`];
  if (asked === false && byAddress === true) yield [`${server}_TLS`, `is off, and ${whatAsks(server)} asks for it`];
  if (given && asked === undefined && byAddress !== true) yield [`${server}_TLS`, "must be on for its files and its server name to count"];
  // A half of the pair would be left out in silence by some clients, and the server would then see no certificate at all.
  if (files.cert !== undefined && files.key === undefined) yield [`${server}_TLS_KEY`, `is needed with ${server}_TLS_CERT`];
  if (files.key !== undefined && files.cert === undefined) yield [`${server}_TLS_CERT`, `is needed with ${server}_TLS_KEY`];
  if (asked === false) return;
  for (const part of ["ca", "cert", "key"] as const) {
    const file = files[part];
    const variable = `${server}_TLS_${part.toUpperCase()}`;
    if (file === undefined) continue;
    // These two travel in the address, which is shown to people.
    if (isPem(file) && (server === "DATABASE" || server === "REDIS")) {
      yield [variable, "must be the name of a file"];
      continue;
    }
    const problem = pemFileProblem(part, file);
    if (problem !== undefined) yield [variable, problem];
  }
}

function* saslProblems(env: Servers): Generator<Problem> {
  const mechanism = env.KAFKA_SASL_MECHANISM;
  const isOauth = mechanism === "OAUTHBEARER";
  const needed = isOauth
    ? (["KAFKA_SASL_TOKEN_URL", "KAFKA_SASL_CLIENT_ID", "KAFKA_SASL_CLIENT_SECRET"] as const)
    : (["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"] as const);
  if (mechanism === undefined) {
    if (env.KAFKA_SASL_USERNAME !== undefined || env.KAFKA_SASL_PASSWORD !== undefined)
      yield ["KAFKA_SASL_MECHANISM", "is needed with KAFKA_SASL_USERNAME: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"];
    return;
  }
  for (const name of needed) if (env[name] === undefined) yield [name, `is needed with KAFKA_SASL_MECHANISM=${mechanism}`];
  if (env.KAFKA_BROKERS === undefined) yield ["KAFKA_BROKERS", "is needed with KAFKA_SASL_MECHANISM"];
  if (env.KAFKA_SASL_TOKEN_URL !== undefined && !isSafeUrl(env.KAFKA_SASL_TOKEN_URL))
    yield ["KAFKA_SASL_TOKEN_URL", "must be https, unless it is a loopback address"];
  // Of these two whoever sits on the line learns what opens the broker.
  const isOpen = mechanism === "PLAIN" || isOauth;
  if (isOpen && env.NODE_ENV === "production" && env.KAFKA_TLS !== true && !everyLoopback(env.KAFKA_BROKERS))
    yield ["KAFKA_TLS", `must be on in production with KAFKA_SASL_MECHANISM=${mechanism}`];
}

/** What the address says of TLS itself; undefined when it says nothing. */
function addressAsks(env: Servers, server: Server): boolean | undefined {
  switch (server) {
    case "DATABASE":
      return env.DATABASE_URL === undefined ? undefined : tlsOfPostgresUrl(env.DATABASE_URL);
    case "REDIS":
      return env.REDIS_URL?.startsWith("rediss:") === true ? true : undefined;
    case "TEMPORAL":
      // A key that goes over an open line would be anybody's.
      return env.TEMPORAL_API_KEY === undefined ? undefined : true;
    case "KAFKA":
      return undefined;
  }
}

function whatAsks(server: Server): string {
  return server === "TEMPORAL" ? "TEMPORAL_API_KEY" : ADDRESS_OF[server];
}

/** The configuration with addresses of Postgres and Redis that carry their TLS and login: whoever has the address has all of it. */
export function withServers<Env extends Servers>(env: Env): Env {
  const database = filesOf(env, "DATABASE");
  const secure = (url: string | undefined) => {
    if (url === undefined || env.DATABASE_TLS === false) return url;
    // The owner's address that says nothing of TLS goes by the other one: its password is worth more.
    const isOn = env.DATABASE_TLS ?? tlsOfPostgresUrl(url) ?? addressAsks(env, "DATABASE") ?? false;
    if (!isOn) return url;
    const asking = tlsOfPostgresUrl(url) === undefined ? `${url}${url.includes("?") ? "&" : "?"}sslmode=verify-full` : url;
    return withTls(asking, database);
  };
  const told = { DATABASE_URL: secure(env.DATABASE_URL), DATABASE_ADMIN_URL: secure(env.DATABASE_ADMIN_URL), REDIS_URL: redisUrlOf(env) };
  return { ...env, ...Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined)) };
}

function redisUrlOf(env: Servers): string | undefined {
  const given = env.REDIS_URL;
  if (given === undefined) return undefined;
  let url = env.REDIS_TLS === true && given.startsWith("redis:") ? `rediss:${given.slice("redis:".length)}` : given;
  if (env.REDIS_PASSWORD !== undefined) {
    const login = new URL(url);
    login.username = encodeURIComponent(env.REDIS_USERNAME ?? "");
    login.password = encodeURIComponent(env.REDIS_PASSWORD);
    url = login.toString();
  }
  return url.startsWith("rediss:") ? withTls(url, filesOf(env, "REDIS")) : url;
}

/** How Kafka is spoken to, beside its brokers. */
export interface KafkaSecurity {
  readonly tls?: TlsFiles;
  readonly sasl?: KafkaSasl;
}

export type KafkaSasl =
  | { readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512"; readonly username: string; readonly password: string }
  | {
      readonly mechanism: "OAUTHBEARER";
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly clientSecret: string;
      readonly scope?: string;
    };

/** How the configured Kafka is spoken to. */
export function kafkaSecurity(env: Servers): KafkaSecurity {
  const sasl = saslOf(env);
  return { ...(env.KAFKA_TLS === true ? { tls: filesOf(env, "KAFKA") } : {}), ...(sasl === undefined ? {} : { sasl }) };
}

function saslOf(env: Servers): KafkaSasl | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_SCOPE: scope } = env;
  if (mechanism === undefined) return undefined;
  if (mechanism !== "OAUTHBEARER") return { mechanism, username: env.KAFKA_SASL_USERNAME ?? "", password: env.KAFKA_SASL_PASSWORD ?? "" };
  return {
    mechanism,
    tokenUrl: env.KAFKA_SASL_TOKEN_URL ?? "",
    clientId: env.KAFKA_SASL_CLIENT_ID ?? "",
    clientSecret: env.KAFKA_SASL_CLIENT_SECRET ?? "",
    ...(scope === undefined ? {} : { scope }),
  };
}

/** How Temporal is spoken to, beside its address. */
export interface TemporalSecurity {
  readonly tls?: TlsFiles;
  readonly apiKey?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** How the configured Temporal is spoken to. */
export function temporalSecurity(env: Servers): TemporalSecurity {
  const { TEMPORAL_API_KEY: apiKey, TEMPORAL_METADATA: metadata } = env;
  const isOn = env.TEMPORAL_TLS ?? apiKey !== undefined;
  return {
    ...(isOn ? { tls: filesOf(env, "TEMPORAL") } : {}),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** The files of the configured TLS of each server that has it, for what looks at all of them. */
export function tlsOfServers(env: Servers): Partial<Record<Server, TlsFiles>> {
  const temporal = temporalSecurity(env).tls;
  return {
    ...(env.DATABASE_URL !== undefined && tlsOfPostgresUrl(env.DATABASE_URL) === true ? { DATABASE: tlsFilesOf(env.DATABASE_URL) } : {}),
    ...(temporal === undefined ? {} : { TEMPORAL: temporal }),
    ...(env.KAFKA_TLS === true ? { KAFKA: filesOf(env, "KAFKA") } : {}),
    ...(env.REDIS_URL?.startsWith("rediss:") === true ? { REDIS: tlsFilesOf(env.REDIS_URL) } : {}),
  };
}

function filesOf(env: Servers, server: Server): TlsFiles {
  return {
    ca: env[`${server}_TLS_CA`],
    cert: env[`${server}_TLS_CERT`],
    key: env[`${server}_TLS_KEY`],
    serverName: env[`${server}_TLS_SERVER_NAME`],
  };
}

function isSafeUrl(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === "https:" || isLoopbackAddress(hostname);
}

function everyLoopback(brokers: string | undefined): boolean {
  return (brokers ?? "").split(",").every((broker) => isLoopbackAddress(broker.trim().replace(/:\d+$/, "")));
}
