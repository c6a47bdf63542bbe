import { pino, type Logger } from "pino";
import { messageOf } from "../errors.ts";

export type { Logger } from "pino";

/** Fields that may hold a secret wherever they stand; their value is never written. */
const SECRETS = [
  "password",
  "token",
  "accessToken",
  "refreshToken",
  "authorization",
  "cookie",
  "card_number",
  "cardNumber",
  "card_cvc",
  "cvc",
  "secret",
];

/**
 * A logger that writes one JSON object a line, with the role on each; `pretty` is for a person at a terminal.
 * Add `correlationId`, `workflowId` and `runId` wherever they are known: they are what an operator searches by.
 */
export function createLogger(options: { role: string; level: string; pretty: boolean }): Logger {
  return pino({
    level: options.level,
    base: { role: options.role, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "[redacted]" },
    // Money as a bare JSON number would lose its last digits in whatever reads the log.
    serializers: { err: describeError },
    formatters: { level: (label) => ({ level: label }), log: (fields) => withoutBigints(fields) },
    ...(options.pretty ? { transport: { target: "pino-pretty", options: { ignore: "pid,role", translateTime: "SYS:HH:MM:ss.l" } } } : {}),
  });
}

/** How deep fields are looked into; deeper ones are cut off by the log's own limit. */
const MAX_DEPTH = 5;

// The query builder's own words and the head of its stack repeat the statement with all its values.
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const frames = error.stack
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
  const root = rootOf(error);
  return { type: root.name, message: messageOf(error), ...("code" in root ? { code: root.code } : {}), stack: frames };
}

function rootOf(error: Error): Error {
  return error.cause instanceof Error ? rootOf(error.cause) : error;
}

function withoutBigints<Value>(value: Value, depth = 0): Value {
  if (typeof value === "bigint") return value.toString() as Value;
  if (depth > MAX_DEPTH || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => withoutBigints(item, depth + 1)) as Value;
  // Errors, dates and the like know themselves how they are written.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutBigints(item as unknown, depth + 1)])) as Value;
}
