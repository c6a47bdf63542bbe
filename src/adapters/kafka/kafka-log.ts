import { logLevel, type LogEntry } from "kafkajs";
import type { Log } from "../log.ts";

/** Answers of a broker that has just come up, or whose group is being joined: the client asks again by itself. */
const PASSING = /coordinator is loading|coordinator is not available|not the correct coordinator|group is rebalancing|leadership election/i;

/**
 * Writes a line of the client to our log. The client calls every lost connection an error, also when it is about to connect
 * again; an error here is a consumer that crashed.
 */
export function writeClientLog(logger: Log, { namespace, level, log }: Pick<LogEntry, "namespace" | "level" | "log">): void {
  const { message, timestamp: _timestamp, logger: _name, ...fields } = log;
  const entry = { component: `kafkajs ${namespace}`.trim(), ...fields };
  const isCrash = level === logLevel.ERROR && namespace === "Consumer" && !message.startsWith("Restarting");
  if (PASSING.test(`${message} ${String(log["error"] ?? "")}`)) logger.debug(entry, message);
  else if (isCrash) logger.error(entry, message);
  else if (level === logLevel.ERROR || level === logLevel.WARN) logger.warn(entry, message);
  else logger.debug(entry, message);
}
