import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { isCurrency } from "./money.ts";

const port = (defaultPort: number) => z.coerce.number().int().min(0).max(65_535).default(defaultPort);
const durationMs = (defaultMs: number, minMs: number, maxMs: number) => z.coerce.number().int().min(minMs).max(maxMs).default(defaultMs);
const flag = (defaultValue: boolean) =>
  z
    .enum(["true", "false", "1", "0"])
    .transform((text) => text === "true" || text === "1")
    .default(defaultValue);
const optionalText = z.string().trim().min(1).optional();
const LOOPBACK_HOSTS = new Set(["127.0.0.1", "localhost", "::1"]);

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
    ALLOW_INSECURE_BIND: z.enum(["no", "container"]).default("no"),
    MAX_BODY_BYTES: z.coerce.number().int().min(1024).max(10_485_760).default(65_536),

    DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
    DATABASE_ADMIN_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
    POSTGRES_PORT: port(5432),
    LEDGER_LANES: z.coerce.number().int().min(1).max(8).default(2),
    READ_LANES: z.coerce.number().int().min(1).max(50).default(4),
    DATABASE_DEADLINE_MS: durationMs(10_000, 100, 120_000),

    TEMPORAL_ADDRESS: optionalText,
    TEMPORAL_NAMESPACE: z.string().min(1).default("default"),
    TEMPORAL_PORT: port(7233),
    TEMPORAL_UI_PORT: port(8233),
    TEMPORAL_DEADLINE_MS: durationMs(5_000, 100, 60_000),
    WORKFLOW_BUNDLE_PATH: optionalText,
    WORKFLOW_CACHE_SIZE: z.coerce.number().int().min(0).max(10_000).default(500),
    API_HOSTS_WORKER: flag(true),
    BRIDGE_HOSTS_WORKER: flag(true),

    KAFKA_BROKERS: optionalText,
    KAFKA_PORT: port(9092),
    KAFKA_TOPIC: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,249}$/)
      .default("purchases"),
    KAFKA_GROUP: z.string().min(1).max(255).default("purchase-processor-group"),
    KAFKA_SESSION_TIMEOUT_MS: durationMs(10_000, 1_000, 120_000),
    EVENT_BATCH_SIZE: z.coerce.number().int().min(1).max(2_000).default(500),
    BRIDGE_STALL_MS: durationMs(60_000, 1_000, 3_600_000),
    OUTBOX_POLL_MS: durationMs(1_000, 10, 60_000),

    REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
    REDIS_PORT: port(6379),

    DEFAULT_CURRENCY: z.string().refine(isCurrency, "is not a known currency").default("RUB"),
    REPORT_TZ: z.string().refine(isTimeZone, "is not a time zone such as Europe/Moscow").default("Europe/Moscow"),
    RESERVATION_TTL_MS: durationMs(600_000, 1_000, 2_592_000_000),
    RESERVATION_TTL_MIN_MS: durationMs(1_000, 100, 2_592_000_000),
    RESERVATION_TTL_MAX_MS: durationMs(604_800_000, 1_000, 2_592_000_000),
  })
  .superRefine((env, context) => {
    if (!LOOPBACK_HOSTS.has(env.HTTP_HOST) && env.ALLOW_INSECURE_BIND !== "container")
      context.addIssue({ code: "custom", path: ["HTTP_HOST"], message: "must be a loopback address while there is no authentication" });
    if (env.RESERVATION_TTL_MIN_MS > env.RESERVATION_TTL_MS || env.RESERVATION_TTL_MS > env.RESERVATION_TTL_MAX_MS)
      context.addIssue({
        code: "custom",
        path: ["RESERVATION_TTL_MS"],
        message: "must lie between RESERVATION_TTL_MIN_MS and RESERVATION_TTL_MAX_MS",
      });
  });

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
 * Reads the configuration: the environment first, then `.env`, then the YAML file named by SALDO_CONFIG.
 * Throws: ConfigError with every problem at once.
 */
export function loadConfig(environment: Environment = process.env, directory: string = process.cwd()): Config {
  const fromFiles = { ...yamlVariables(environment["SALDO_CONFIG"]), ...dotEnvVariables(join(directory, ".env")) };
  const merged = { ...fromFiles, ...definedOnly(environment) };
  const result = schema.safeParse(merged);
  if (!result.success)
    throw new ConfigError(result.error.issues.map((issue) => `${issue.path.join(".") || "configuration"}: ${issue.message}`));
  return result.data;
}

/** The environment of this process, for the processes it starts. */
export function inheritedEnvironment(): Environment {
  return { ...process.env };
}

/** The configuration as lines for a person, with every address's password and every secret hidden. */
export function describeConfig(config: Config): Record<string, string> {
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [name, hideSecret(String(value ?? ""))]));
}

/** Hides the password of an address, so that the rest can be shown: `postgres://app:***@host/db`. */
export function hideSecret(text: string): string {
  return text.replace(/(\w+:\/\/[^:/@\s]*):[^@\s]*@/g, "$1:***@");
}

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat("en", { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}

// An empty variable means "not set": compose files pass VARIABLE= for those left out.
function definedOnly(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ""),
  );
}

function dotEnvVariables(path: string): Record<string, string> {
  return existsSync(path) ? definedOnly(parseEnv(readFileSync(path, "utf8"))) : {};
}

function yamlVariables(path: string | undefined): Record<string, string> {
  if (path === undefined || path === "") return {};
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path, "utf8"));
  } catch {
    throw new ConfigError([`SALDO_CONFIG: the file ${path} cannot be read as YAML`]);
  }
  const parsed = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)).safeParse(content ?? {});
  if (!parsed.success) throw new ConfigError([`SALDO_CONFIG: ${path} must hold one level of NAME: value`]);
  return parsed.data;
}
