import { pino, type Logger } from "pino";

export type { Logger } from "pino";

/** Fields that may hold a secret wherever they stand; their value is never written. */
const SECRETS = ["password", "token", "accessToken", "refreshToken", "authorization", "cookie", "card_number", "cardNumber", "card_cvc", "cvc", "secret"];

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
    serializers: { err: pino.stdSerializers.err },
    formatters: { level: (label) => ({ level: label }), log: (fields) => withoutBigints(fields) },
    ...(options.pretty ? { transport: { target: "pino-pretty", options: { ignore: "pid,role", translateTime: "SYS:HH:MM:ss.l" } } } : {}),
  });
}

function withoutBigints(fields: Record<string, unknown>): Record<string, unknown> {
  if (!Object.values(fields).some((value) => typeof value === "bigint")) return fields;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typeof value === "bigint" ? value.toString() : value]));
}
