import type { RateLimit } from "../../../adapters/redis/rate-limits.ts";
import { DomainError } from "../../../base/errors.ts";
import type { ApiContext } from "../../api-env.ts";
import { isBackend } from "../access.ts";
import type { ClientAddresses } from "../client-address.ts";
import type { RequestLimits } from "../guard.ts";

/** The limits that are on. */
export interface RateLimits {
  readonly address?: RateLimit | undefined;
  /** For each user. */
  readonly subject?: RateLimit | undefined;
  /** For each service and admin. */
  readonly service?: RateLimit | undefined;
  /** Against brute force on passwords and refresh tokens: per address, besides the address's own limit. */
  readonly login?: RateLimit | undefined;
}

/** Counts requests by address, subject and class, and tells every answer what is left (draft-ietf-httpapi-ratelimit-headers-10). */
export function createRequestLimits(options: {
  readonly limits: RateLimits;
  readonly addresses: ClientAddresses;
  readonly onRefused?: (policy: string) => void;
}): RequestLimits {
  const { limits, addresses, onRefused = () => {} } = options;
  const count = async (context: ApiContext, policy: string, limit: RateLimit | undefined, key: string): Promise<void> => {
    if (limit === undefined) return;
    const { passes, remaining, resetMs } = await limit.take(key);
    const resetSeconds = Math.ceil(resetMs / 1_000);
    context.header("ratelimit-policy", `"${policy}";q=${limit.quota};w=${Math.ceil(limit.windowMs / 1_000)}`, { append: true });
    context.header("ratelimit", `"${policy}";r=${remaining};t=${resetSeconds}`, { append: true });
    if (passes) return;
    onRefused(policy);
    context.header("retry-after", String(Math.max(1, resetSeconds)));
    throw new DomainError("RATE_LIMITED");
  };
  return {
    async byAddress(context, routeClass) {
      if (limits.address === undefined && limits.login === undefined) return;
      const address = addresses.of(context);
      await count(context, "address", limits.address, address);
      if (routeClass === "login") await count(context, "login", limits.login, address);
    },
    bySubject: (context) =>
      isBackend(context.get("principal"))
        ? count(context, "service", limits.service, context.get("caller"))
        : count(context, "user", limits.subject, context.get("caller")),
  };
}
