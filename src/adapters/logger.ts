import { pino, type DestinationStream, type Logger, type LoggerOptions } from "pino";
import { maskApiKeys } from "../base/api-key-form.ts";
import { messageOf } from "../base/errors.ts";

export type { Logger } from "pino";

/**
 * Names of fields that may hold a secret, in small letters without `_` and `-`: whole names, and ends of names such as `userPassword`
 * or `card_number`.
 */
const SECRET_NAME =
  /^(?:number|pan|card)$|(?:password|passwordhash|secret|token|apikey|authorization|cookie|cardnumber|accountnumber|cardpan|cardexpiry|cvc2?|cvv2?|securitycode|holdername)$/;
const HIDDEN = "[redacted]";

/**
 * A logger that writes one JSON object a line, with the role on each; `pretty` is for a person at a terminal. The value of a field that
 * may hold a secret by its name is never written, wherever it stands, and neither is the secret of an API key.
 * Add `correlationId`, `workflowId` and `runId` wherever they are known: they are what an operator searches by.
 */
export function createLogger(options: { role: string; level: string; pretty: boolean }): Logger {
  const form: LoggerOptions = {
    level: options.level,
    base: { role: options.role, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describeError },
    formatters: { level: (label) => ({ level: label }), log: (fields) => writable(fields) },
  };
  const logger = options.pretty
    ? pino({ ...form, transport: { target: "pino-pretty", options: { ignore: "pid,role", translateTime: "SYS:HH:MM:ss.l" } } })
    : pino(form, turnByTurn(pino.destination({ fd: STDOUT, sync: true })));
  const { child } = logger;
  // pino does not pass the fields of a child logger through the formatters.
  logger.child = function childOf(this: Logger, fields, ...rest) {
    return child.call(this, writable(fields), ...rest);
  } as typeof child;
  return logger;
}

const STDOUT = 1;

/**
 * Writes the lines of one turn of the event loop at once: under load a write for each line is a twentieth of the api's work. At the end of
 * the process, also after an uncaught error, what is left is written; a process that is killed loses the lines of its last turn.
 */
function turnByTurn(destination: DestinationStream): DestinationStream {
  let lines = "";
  const write = () => {
    if (lines === "") return;
    const text = lines;
    lines = "";
    destination.write(text);
  };
  process.on("exit", write);
  return {
    write(line) {
      if (lines === "") setImmediate(write);
      lines += line;
    },
  };
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
  return { type: root.name, message: maskApiKeys(messageOf(error)), ...("code" in root ? { code: root.code } : {}), stack: frames };
}

function rootOf(error: Error): Error {
  return error.cause instanceof Error ? rootOf(error.cause) : error;
}

/** The value as it may be written: no secret, and money as text, as a bare JSON number would lose its last digits in whatever reads the log. */
function writable<Value>(value: Value, depth = 0): Value {
  if (typeof value === "bigint") return value.toString() as Value;
  if (typeof value === "string") return maskApiKeys(value) as Value;
  if (depth > MAX_DEPTH || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => writable(item, depth + 1)) as Value;
  // Errors, dates and the like bring their own form.
  if (value instanceof Error || ("toJSON" in value && typeof value.toJSON === "function")) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, isSecret(name) ? HIDDEN : writable(item as unknown, depth + 1)]),
  ) as Value;
}

function isSecret(name: string): boolean {
  return SECRET_NAME.test(name.toLowerCase().replace(/[-_]/g, ""));
}
