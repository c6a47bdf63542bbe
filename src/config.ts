import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { z } from "zod";
import { isLoopbackAddress } from "./base/loopback.ts";
import { isCurrency } from "./base/money.ts";
import { readPostgresUrl } from "./base/postgres-url.ts";
import { isPem } from "./base/tls-files.ts";
import { readYamlVariables } from "./base/yaml-variables.ts";
import { authProblems } from "./config/auth-problems.ts";
import { httpsFileProblems, httpsProblems, HTTPS_SETTINGS } from "./config/https-settings.ts";
import { addressRanges, origins } from "./config/lists.ts";
import { optionalText } from "./config/optional-text.ts";
import { payloadProblems, PAYLOAD_SETTINGS } from "./config/payload-settings.ts";
import { productionProblems, type Duties } from "./config/production-problems.ts";
import { pspFileProblems, PSP_SETTINGS, pspProblems } from "./config/psp-settings.ts";
import { redisUrl, serverProblems, SERVER_VARIABLES, withServers } from "./config/server-variables.ts";
import { temporalProfileVariables } from "./config/temporal-profile.ts";
import { ROLES } from "./contract/identity.ts";
import { COMPENSATION_FAST_RETRIES, ORDER_PAYMENT_DEADLINE_MS } from "./contract/order-times.ts";
import { mayComeIn } from "./contract/topics.ts";

/** Read from its digits: `Number` would make 0 of blanks, which many variables take for "no limit", and 16 of `0x10`. */
const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\s*\d{1,15}\s*$/, "must be a whole number such as 600000")
    .transform(Number)
    .pipe(z.number().min(min).max(max));
const port = (defaultPort: number) => wholeNumber(0, 65_535).default(defaultPort);
const durationMs = (defaultMs: number, minMs: number, maxMs: number) => wholeNumber(minMs, maxMs).default(defaultMs);
const flag = (defaultValue: boolean) =>
  z
    .enum(["true", "false", "1", "0"])
    .transform((text) => text === "true" || text === "1")
    .default(defaultValue);
const topicName = (name: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}$/)
    .default(name);
const groupName = (name: string) => z.string().min(1).max(255).default(name);
/** Where clients reach the API, such as `https://pay.example` or `pay.example:8080`, without a slash at the end. */
const serverUrl = z
  .string()
  .trim()
  .transform((text) => (/^https?:\/\//.test(text) ? text : `http://${text}`).replace(/\/+$/, ""))
  .refine((text) => URL.canParse(text), "is not an address such as https://pay.example");
/** With the parameters that the driver understands; see `readPostgresUrl`. */
const postgresUrl = z.url({ protocol: /^postgres(ql)?$/ }).transform((text, context) => {
  const { url, unkept, looseMode, isEncoded } = readPostgresUrl(text);
  if (!isEncoded) context.addIssue({ code: "custom", message: "must have user, password and database percent-encoded: % is written %25" });
  for (const name of unkept)
    context.addIssue({
      code: "custom",
      message: `must not have the parameter ${name}, which the driver does not know: the server's certificate is checked with sslmode=verify-full, settings of the server stand in options=-c`,
    });
  if (looseMode !== undefined)
    context.addIssue({ code: "custom", message: "must have sslmode=verify-full or sslmode=disable: another mode checks nothing" });
  return url;
});
/** Requests per window; 0 is no limit. */
const quota = (defaultQuota: number) => wholeNumber(0, 10_000_000).default(defaultQuota);
const TOPIC_VARIABLES = ["KAFKA_TOPIC", "LOYALTY_TOPIC", "ORDERS_TOPIC"] as const;

const schema = z
  .object({
    NODE_ENV: z.enum(["development", "test", "production"]).default("development"),
    LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
    LOG_PRETTY: flag(false),
    DATA_DIR: z.string().min(1).default(".data"),
    CACHE_DIR: z
      .string()
      .min(1)
      .default(join(homedir(), ".cache", "saldo")),
    REPORTS_DIR: optionalText,

    HTTP_HOST: z.string().min(1).default("127.0.0.1"),
    HTTP_PORT: port(8080),
    PURCHASES_PORT: port(8084),
    ...HTTPS_SETTINGS,
    SERVER_URL: serverUrl.optional(),
    ALLOW_INSECURE_BIND: z.enum(["no", "container"]).default("no"),
    MAX_BODY_BYTES: wholeNumber(1024, 10_485_760).default(65_536),

    AUTH_MODE: z.enum(["required", "off"]).default("required"),
    AUTH_KEYS_DIR: optionalText,
    AUTH_ISSUER: z.string().min(1).max(255).default("saldo"),
    AUTH_AUDIENCE: z.string().min(1).max(255).default("saldo-api"),
    ACCESS_TOKEN_TTL_MS: durationMs(900_000, 1_000, 900_000),
    SESSION_TTL_MS: durationMs(2_592_000_000, 1_000, 31_536_000_000),
    LOGIN_FAILURES_PER_15_MINUTES: wholeNumber(0, 10_000).default(10),
    AUTH_JWKS_URL: z.url({ protocol: /^https?$/ }).optional(),
    AUTH_EXTERNAL_ISSUER: optionalText,
    AUTH_EXTERNAL_AUDIENCE: optionalText,
    AUTH_ROLES_CLAIM: z.string().min(1).max(255).default("roles"),
    AUTH_EXTERNAL_ROLE: z.enum(ROLES).default("user"),
    SALDO_TOKEN: optionalText,

    DATABASE_URL: postgresUrl.optional(),
    DATABASE_ADMIN_URL: postgresUrl.optional(),
    POSTGRES_PORT: port(5432),
    LEDGER_LANES: wholeNumber(1, 8).default(2),
    READ_LANES: wholeNumber(1, 50).default(4),
    DATABASE_DEADLINE_MS: durationMs(10_000, 100, 120_000),

    TEMPORAL_ADDRESS: optionalText,
    TEMPORAL_NAMESPACE: z.string().min(1).default("default"),
    TEMPORAL_PORT: port(7233),
    TEMPORAL_UI_PORT: port(8233),
    TEMPORAL_DEADLINE_MS: durationMs(5_000, 100, 60_000),
    ...PAYLOAD_SETTINGS,
    WORKFLOW_BUNDLE_PATH: optionalText,
    WORKFLOW_CACHE_SIZE: wholeNumber(0, 10_000).default(500),
    // Read by workers/lean-workflow-threads.cjs, which is loaded before any configuration is.
    WORKFLOW_STACK_TRACES: flag(false),
    API_HOSTS_WORKER: flag(true),
    BRIDGE_HOSTS_WORKER: flag(true),

    KAFKA_BROKERS: optionalText,
    KAFKA_PORT: port(9092),
    KAFKA_TOPIC: topicName("purchases"),
    KAFKA_GROUP: groupName("purchase-processor-group"),
    LOYALTY_TOPIC: topicName("loyalty.transactions"),
    LOYALTY_GROUP: groupName("loyalty-consumer"),
    ORDERS_TOPIC: topicName("orders.requested"),
    ORDERS_GROUP: groupName("order-consumer"),
    SAGA_COMMANDS_GROUP: groupName("saga-payment-consumer"),
    SAGA_REPLIES_GROUP: groupName("saga-order-consumer"),
    SAGA_COMMANDS: z.enum(["execute", "ignore"]).default("execute"),
    ORDER_PAYMENT: z.enum(["own", "saga-commands"]).default("own"),
    KAFKA_SESSION_TIMEOUT_MS: durationMs(10_000, 1_000, 120_000),
    EVENT_BATCH_SIZE: wholeNumber(1, 2_000).default(2_000),
    BRIDGE_STALL_MS: durationMs(60_000, 1_000, 3_600_000),
    OUTBOX_POLL_MS: durationMs(1_000, 10, 60_000),

    REDIS_URL: redisUrl.optional(),
    REDIS_PORT: port(6379),
    BALANCE_CACHE: z.enum(["on", "off"]).default("on"),
    ...SERVER_VARIABLES,

    PSP_URL: z
      .url({ protocol: /^https?$/ })
      .refine((text) => new URL(text).username === "" && new URL(text).password === "", "must not hold a password; PSP_API_KEY does")
      .optional(),
    PSP_API_KEY: z.string().min(16).max(512).optional(),
    PSP_PORT: port(8090),
    PSP_HOST: z.string().min(1).default("127.0.0.1"),
    PSP_TIMEOUT_MS: durationMs(3_000, 100, 60_000),
    ...PSP_SETTINGS,

    WEBHOOK_ALLOW_HTTP: flag(false),
    WEBHOOK_ALLOW_PRIVATE: flag(false),
    WEBHOOK_TIMEOUT_MS: durationMs(10_000, 100, 30_000),
    WEBHOOK_ENCRYPTION_SECRET: z
      .string()
      .refine((text) => Buffer.from(text, "base64").length === 32, "must be 32 bytes in base64")
      .optional(),

    RATE_LIMIT_WINDOW_MS: durationMs(60_000, 1_000, 3_600_000),
    RATE_LIMIT_PER_MINUTE: quota(6_000),
    RATE_LIMIT_PER_USER: quota(6_000),
    RATE_LIMIT_PER_SERVICE: quota(0),
    RATE_LIMIT_LOGIN: quota(30),
    OVERLOAD_TARGET_MS: wholeNumber(0, 60_000).default(2_500),
    STREAMS_PER_USER: wholeNumber(1, 100_000).default(20),
    STREAMS_IN_ALL: wholeNumber(1, 100_000).default(1_000),
    TRUSTED_PROXIES: addressRanges,
    CORS_ORIGINS: origins,
    METRICS_TOKEN: z.string().min(16).max(512).optional(),
    METRICS_HOST: z.string().min(1).default("127.0.0.1"),
    METRICS_PORT: wholeNumber(0, 65_000).optional(),

    ORDER_PAYMENT_DEADLINE_MS: durationMs(ORDER_PAYMENT_DEADLINE_MS, 1_000, 86_400_000),
    COMPENSATION_FAST_RETRIES: wholeNumber(0, 100).default(COMPENSATION_FAST_RETRIES),

    DEFAULT_CURRENCY: z.string().refine(isCurrency, "is not a known currency").default("RUB"),
    REPORT_TZ: z.string().refine(isTimeZone, "is not a time zone such as Europe/Moscow").default("Europe/Moscow"),
    RESERVATION_TTL_MS: durationMs(600_000, 1_000, 2_592_000_000),
    RESERVATION_TTL_MIN_MS: durationMs(1_000, 100, 2_592_000_000),
    RESERVATION_TTL_MAX_MS: durationMs(604_800_000, 1_000, 2_592_000_000),
    RESERVATION_EXPIRING_MS: durationMs(60_000, 0, 86_400_000),
    RESERVATION_GRACE_MS: durationMs(60_000, 0, 86_400_000),
    SELF_AUDIT_INTERVAL_MS: durationMs(60_000, 1_000, 86_400_000),
    HOUSEKEEPING_INTERVAL_MS: durationMs(600_000, 1_000, 86_400_000),
    OUTBOX_KEEP_MS: durationMs(604_800_000, 1_000, 31_536_000_000),
  })
  .superRefine((env, context) => {
    if (!isLoopbackAddress(env.PSP_HOST) && env.ALLOW_INSECURE_BIND !== "container")
      context.addIssue({ code: "custom", path: ["PSP_HOST"], message: "must be a loopback address: the provider is a simulator" });
    if (!isLoopbackAddress(env.METRICS_HOST) && env.METRICS_TOKEN === undefined)
      context.addIssue({ code: "custom", path: ["METRICS_HOST"], message: "must be a loopback address without METRICS_TOKEN" });
    if (env.PSP_URL !== undefined && env.PSP_API_KEY === undefined)
      context.addIssue({ code: "custom", path: ["PSP_API_KEY"], message: "is needed with PSP_URL" });
    if (env.HTTP_PORT !== 0 && env.HTTP_PORT === env.PURCHASES_PORT)
      context.addIssue({ code: "custom", path: ["PURCHASES_PORT"], message: "must not be the same as HTTP_PORT" });
    if (env.ORDER_PAYMENT === "saga-commands" && env.SAGA_COMMANDS === "execute")
      context.addIssue({
        code: "custom",
        path: ["SAGA_COMMANDS"],
        message: "must be ignore with ORDER_PAYMENT=saga-commands: Saldo would pay its own commands",
      });
    for (const variable of TOPIC_VARIABLES)
      if (!mayComeIn(env[variable]))
        context.addIssue({ code: "custom", path: [variable], message: "must not be one of Saldo's own topics, or named like one" });
    if (new Set(TOPIC_VARIABLES.map((variable) => env[variable])).size < TOPIC_VARIABLES.length)
      context.addIssue({
        code: "custom",
        path: ["KAFKA_TOPIC"],
        message: "KAFKA_TOPIC, LOYALTY_TOPIC and ORDERS_TOPIC must be different topics",
      });
    // Members of one group that read different topics get each other's partitions from the client.
    const groups = [env.KAFKA_GROUP, env.LOYALTY_GROUP, env.ORDERS_GROUP, env.SAGA_COMMANDS_GROUP, env.SAGA_REPLIES_GROUP];
    if (new Set(groups).size < groups.length)
      context.addIssue({ code: "custom", path: ["KAFKA_GROUP"], message: "every topic needs a group of its own" });
    for (const [variable, message] of [...serverProblems(env), ...httpsProblems(env), ...payloadProblems(env), ...pspProblems(env)])
      context.addIssue({ code: "custom", path: [variable], message });
    for (const [variable, message] of authProblems(env)) context.addIssue({ code: "custom", path: [variable], message });
    if (env.RESERVATION_TTL_MIN_MS > env.RESERVATION_TTL_MS || env.RESERVATION_TTL_MS > env.RESERVATION_TTL_MAX_MS)
      context.addIssue({
        code: "custom",
        path: ["RESERVATION_TTL_MS"],
        message: "must lie between RESERVATION_TTL_MIN_MS and RESERVATION_TTL_MAX_MS",
      });
  })
  .transform(withServers);

/** Where a role that cannot do without Kafka looks for it unless it is told (S3-06); `npm start` tells it. */
export const DEFAULT_KAFKA_BROKERS = "kafka:9092";

export type Environment = Readonly<Record<string, string | undefined>>;
export type Config = Readonly<z.infer<typeof schema>>;

/** All problems of the configuration at once, by variable; never a value, as a value may be a secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} problem${problems.length === 1 ? "" : "s"}:\n${problems.map((p) => `  ${p}`).join("\n")}`,
    );
    this.problems = problems;
  }
}

/**
 * Reads the configuration: the environment first, then `.env`, then the YAML file named by SALDO_CONFIG, then a profile of Temporal's tools.
 * `duties` of the process that reads it decide which weak defaults a production (NODE_ENV=production) refuses: docs/security.md.
 * Throws: ConfigError with every problem at once.
 */
export function loadConfig(environment: Environment = process.env, directory: string = process.cwd(), duties?: Duties): Config {
  const fromFiles = { ...yamlVariables(environment["SALDO_CONFIG"]), ...dotEnvVariables(join(directory, ".env")) };
  const told = { ...fromFiles, ...definedOnly(environment) };
  const merged = { ...profileVariables(told), ...told };
  const result = schema.safeParse(merged);
  const problems = result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join(".") || "configuration"}: ${message}`);
  // What Node's fetch asks (issuers of tokens, the provider, webhooks) would be anybody's who sits on the line.
  if (merged["NODE_ENV"] === "production" && environment["NODE_TLS_REJECT_UNAUTHORIZED"] === "0")
    problems.push("NODE_TLS_REJECT_UNAUTHORIZED: must not be 0 in production: it switches the check of every certificate off");
  if (duties !== undefined)
    for (const [variable, sentence] of [
      ...productionProblems(merged, duties),
      ...pspFileProblems(merged, duties),
      ...httpsFileProblems(merged, duties),
    ])
      problems.push(`${variable}: ${sentence}`);
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return result.data;
}

/** Reads the configuration of a process with these duties from its own environment and folder. Throws: ConfigError with every problem at once. */
export function loadRoleConfig(duties: Duties): Config {
  return loadConfig(process.env, process.cwd(), duties);
}

/** The environment of this process, for the processes it starts. */
export function inheritedEnvironment(): Environment {
  return { ...process.env };
}

/** The configuration as lines for a person, with every address's password and every secret hidden. */
export function describeConfig(config: Config): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name,
      value !== undefined && (SECRET_NAME.test(name) || isPem(inWords(value))) ? "***" : hideSecret(inWords(value)),
    ]),
  );
}

function inWords(value: Config[keyof Config]): string {
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value ?? "");
}

/** Variables whose whole value is a secret. */
const SECRET_NAME = /(?:TOKEN|SECRETS?|SECRET_KEY|PASSWORD|API_KEY|METADATA|PAYLOAD_KEYS)$/;

/** Hides the password of an address, so that the rest can be shown: `postgres://app:***@host/db`. */
export function hideSecret(text: string): string {
  return text.replace(/(\w+:\/\/[^:/@\s]*):[^/\s]*@/g, "$1:***@");
}

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat("en", { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}

// An empty or blank variable means "not set": compose files pass VARIABLE= for those left out.
function definedOnly(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1].trim() !== ""),
  );
}

function profileVariables(told: Record<string, string>): Record<string, string> {
  try {
    return temporalProfileVariables(told);
  } catch (error) {
    throw new ConfigError([`TEMPORAL_CONFIG_FILE: the profile cannot be taken: ${error instanceof Error ? error.message : ""}`]);
  }
}

function dotEnvVariables(path: string): Record<string, string> {
  return existsSync(path) ? definedOnly(parseEnv(readFileSync(path, "utf8"))) : {};
}

function yamlVariables(path: string | undefined): Record<string, string> {
  if (path === undefined || path === "") return {};
  let variables: Record<string, string> | undefined;
  try {
    variables = readYamlVariables(readFileSync(path, "utf8"));
  } catch {
    throw new ConfigError([`SALDO_CONFIG: the file ${path} cannot be read as YAML`]);
  }
  if (variables === undefined) throw new ConfigError([`SALDO_CONFIG: ${path} must hold one level of NAME: value`]);
  return definedOnly(variables);
}
