import { createRateLimit } from "../../src/adapters/redis/rate-limits.ts";
import type { RedisLink } from "../../src/adapters/redis/redis.ts";
import type { RateLimits } from "../../src/api/http/middleware/rate-limit.ts";
import type { Config } from "../../src/config.ts";

/** The rate limits of requests by the configuration: for each address, for each user, for each service or admin, and for logins. */
export function requestQuotas(config: Config, redis: RedisLink): RateLimits {
  const limit = (prefix: string, quota: number) => createRateLimit({ redis, prefix, quota, windowMs: config.RATE_LIMIT_WINDOW_MS });
  return {
    address: limit("rate", config.RATE_LIMIT_PER_MINUTE),
    subject: limit("rate:user", config.RATE_LIMIT_PER_USER),
    service: limit("rate:service", config.RATE_LIMIT_PER_SERVICE),
    login: limit("rate:login", config.RATE_LIMIT_LOGIN),
  };
}
