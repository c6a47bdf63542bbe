import { Redis } from "ioredis";
import { messageOf } from "../../base/errors.ts";
import type { Log } from "../log.ts";

/** The process's one connection to Redis. Redis is never the truth: every caller can do without it. */
export interface RedisLink {
  /** False when there is no Redis at all. */
  readonly enabled: boolean;
  /**
   * Runs a command. Undefined when there is no Redis, or it is away or slow: at once while it is known to be, else within 100 ms.
   * Never throws. A command that gave undefined may have been done all the same.
   */
  attempt<Result>(command: (redis: Redis) => Promise<Result>): Promise<Result | undefined>;
  /** Throws: Error when Redis does not answer. For readiness and metrics. */
  ping(): Promise<void>;
  close(): void;
}

const COMMAND_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 1_000;
/** After a command that timed out no other is sent for so long, so that a Redis that hangs does not slow every request. */
const PAUSE_MS = 1_000;

class TooSlow extends Error {
  override readonly name = "TooSlow";
}

/**
 * Throws: TooSlow when the command takes longer than its time. The client's own time-out is not used: after a moment in which this
 * process was busy itself it fires before the answers that lie ready are read.
 */
function inTime<Result>(command: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new TooSlow(`Redis did not answer within ${COMMAND_TIMEOUT_MS} ms`));
    const timer = setTimeout(() => setImmediate(giveUp), COMMAND_TIMEOUT_MS);
    command.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Opens the connection; without an address every command comes to nothing. Commands are never queued for a Redis that is away. */
export function openRedis(options: { readonly url: string | undefined; readonly logger: Log }): RedisLink {
  const { url, logger } = options;
  if (url === undefined)
    return { enabled: false, attempt: async () => undefined, ping: () => Promise.reject(new Error("there is no Redis")), close: () => {} };
  const redis = new Redis(url, {
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
  });
  let reported = false;
  let pausedUntilMs = 0;
  const away = (error: unknown) => {
    if (!reported) logger.warn({ event: "redis.away", reason: messageOf(error) }, "Redis is away; everything goes on without it");
    reported = true;
  };
  redis.on("error", away);
  redis.on("ready", () => {
    reported = false;
    pausedUntilMs = 0;
  });

  return {
    enabled: true,
    async attempt(command) {
      if (redis.status !== "ready" || performance.now() < pausedUntilMs) return undefined;
      try {
        return await inTime(command(redis));
      } catch (error) {
        if (error instanceof TooSlow) pausedUntilMs = performance.now() + PAUSE_MS;
        away(error);
        return undefined;
      }
    },
    async ping() {
      await inTime(redis.ping());
      reported = false;
    },
    close: () => redis.disconnect(),
  };
}
