import { Redis } from "ioredis";
import { DomainError, messageOf } from "../../base/errors.ts";
import type { Log } from "../log.ts";
import { redisTarget } from "./redis-target.ts";

/** The process's one connection to Redis. Redis is never the truth: every caller can do without it. */
export interface RedisLink {
  /** False when there is no Redis at all. */
  readonly enabled: boolean;
  /** False while a command would come to nothing. */
  isUp(): boolean;
  /**
   * Runs a command. Undefined when there is no Redis, or it is away or slow, or takes no writes: at once while it is known to be so, else
   * within 100 ms. Never throws. A command that gave undefined may have been done all the same.
   */
  attempt<Result>(command: (redis: Redis) => Promise<Result>): Promise<Result | undefined>;
  /** For readiness and metrics. Throws: UNAVAILABLE, with the reason in words, when Redis does not answer or takes no writes. */
  ping(): Promise<void>;
  close(): void;
}

const COMMAND_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 1_000;
/** After a command that timed out no other is sent for so long, so that a Redis that hangs does not slow every request. */
const PAUSE_MS = 1_000;
/** How often a Redis that takes no writes is asked whether it does again. */
const PROBE_MS = 1_000;
/** Written to see whether Redis takes writes. */
const PROBE_KEY = "saldo:probe";
const PROBE_LIFETIME_MS = 10_000;

/**
 * The errors of a Redis that answers reads and takes no writes: a replica after a fail-over, a full disk or a full memory, a master that
 * lost its replicas. Of a script that it refuses Redis 6 names the error further behind.
 */
const WRITES_REFUSED = /(?:^|[\s-])(READONLY|MASTERDOWN|MISCONF|OOM|NOREPLICAS)\s/;
/** The errors of a Redis that does not let this user in. */
const LOGIN_REFUSED = /^(?:WRONGPASS|NOAUTH|ERR AUTH)/;
/** Of them, those after which a new connection may lead to another server. */
const ANOTHER_SERVER = new Set(["READONLY", "MASTERDOWN"]);

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

/** The code of an error by which Redis refuses every write, if it is such an error. */
function writeRefusal(error: unknown): string | undefined {
  return WRITES_REFUSED.exec(messageOf(error))?.[1];
}

const NO_REDIS: RedisLink = {
  enabled: false,
  isUp: () => false,
  attempt: async () => undefined,
  ping: () => Promise.reject(new DomainError("UNAVAILABLE", "there is no Redis")),
  close: () => {},
};

/**
 * Opens the connection; without an address every command comes to nothing. Commands are never queued for a Redis that is away.
 * A connection is used, also for reading, only once a write has passed on it: a Redis that cannot be told of changes is not asked. One
 * that turns out to be a replica is left, and the address is connected to again once a second, until it leads to a master.
 */
export function openRedis(options: { readonly url: string | undefined; readonly logger: Log }): RedisLink {
  const { url, logger } = options;
  if (url === undefined) return NO_REDIS;
  let reported = false;
  let pausedUntilMs = 0;
  let takesWrites = false;
  let refusal: string | undefined;
  let isLoginRefused = false;
  let nextProbe: NodeJS.Timeout | undefined;

  const target = redisTarget(url);
  const redis = new Redis(target.url, {
    ...target.options,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => (refusal === undefined ? Math.min(times * 100, 2_000) : PROBE_MS),
    reconnectOnError: (error) => ANOTHER_SERVER.has(writeRefusal(error) ?? ""),
  });

  const away = (error: unknown) => {
    isLoginRefused = LOGIN_REFUSED.test(messageOf(error));
    if (reported) return;
    reported = true;
    const reason = messageOf(error);
    if (refusal === undefined) logger.warn({ event: "redis.away", reason }, "Redis is away; everything goes on without it");
    else logger.warn({ event: "redis.takes-no-writes", reason }, "Redis takes no writes; it is not read either until it does");
  };
  const failed = (error: unknown) => {
    if (error instanceof TooSlow) pausedUntilMs = performance.now() + PAUSE_MS;
    const code = writeRefusal(error);
    if (code !== undefined) {
      takesWrites = false;
      refusal = code;
      probeLater();
    }
    away(error);
  };
  const probe = async (): Promise<void> => {
    try {
      await inTime(redis.set(PROBE_KEY, "1", "PX", PROBE_LIFETIME_MS));
    } catch (error) {
      // A user of Redis who may write under Saldo's own keys only is told so by a server that takes writes.
      if (!messageOf(error).startsWith("NOPERM ")) {
        failed(error);
        throw error;
      }
    }
    clearTimeout(nextProbe);
    reported = false;
    refusal = undefined;
    takesWrites = true;
  };
  // A connection that is made anew probes by itself.
  const probeLater = (): void => {
    clearTimeout(nextProbe);
    nextProbe = setTimeout(() => {
      if (redis.status === "ready" && !takesWrites) probe().catch(probeLater);
    }, PROBE_MS).unref();
  };

  redis.on("error", away);
  redis.on("close", () => {
    takesWrites = false;
  });
  redis.on("ready", () => {
    pausedUntilMs = 0;
    isLoginRefused = false;
    probe().catch(probeLater);
  });

  const isUp = () => redis.status === "ready" && takesWrites && performance.now() >= pausedUntilMs;
  return {
    enabled: true,
    isUp,
    async attempt(command) {
      if (!isUp()) return undefined;
      try {
        return await inTime(command(redis));
      } catch (error) {
        failed(error);
        return undefined;
      }
    },
    async ping() {
      if (isLoginRefused) throw new DomainError("UNAVAILABLE", "it refuses the login of REDIS_URL");
      const inWords = (code: string) => new DomainError("UNAVAILABLE", `Redis takes no writes (${code})`);
      if (redis.status !== "ready") throw refusal === undefined ? new DomainError("UNAVAILABLE", "not connected") : inWords(refusal);
      await probe().catch((error: unknown) => {
        throw refusal === undefined ? new DomainError("UNAVAILABLE", "no answer in time", {}, error) : inWords(refusal);
      });
    },
    close() {
      clearTimeout(nextProbe);
      redis.disconnect();
    },
  };
}
