import { codeOf, DomainError } from "../../base/errors.ts";
import type { Principal } from "../../contract/identity.ts";
import type { ApiContext } from "../api-env.ts";
import { isBackend, type Access } from "./access.ts";
import type { RefusalLog } from "./refusal-log.ts";

/** Tells whose token a request has. Throws: UNAUTHENTICATED whatever is wrong with the token; UNAVAILABLE when it cannot be checked. */
export interface Authenticator {
  /** `authorization` is the header as it came. */
  authenticate(authorization: string | undefined): Promise<Principal>;
  /**
   * Whose token this is, where it was verified before; undefined for every other token. It costs a hash and says nothing of a
   * revocation since. Without it every request counts against its address.
   */
  recall?(authorization: string | undefined): Principal | undefined;
}

/** The allowance that a route counts against. `unlimited` is for what supervisors and collectors ask every second. */
export type RouteClass = "read" | "write" | "login" | "unlimited";

/** Counts requests. Throws: RATE_LIMITED. Sets the `RateLimit` headers. */
export interface RequestLimits {
  /** Before anything else is done for the request, or once a request that was spared it is refused. */
  byAddress(context: ApiContext, routeClass: RouteClass): Promise<void>;
  /** After the token and the role were checked. */
  bySubject(context: ApiContext, routeClass: RouteClass): Promise<void>;
}

/** What each route asks before its handler runs. Throws: UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED, UNAVAILABLE. */
export type Guard = (context: ApiContext, route: { readonly access: Access; readonly routeClass: RouteClass }) => Promise<void>;

/**
 * Checks the address's allowance, then the token, then the role, then the subject's allowance. In this order a flood from one address
 * costs no checks of tokens, and requests with a wrong role use up none of the subject's allowance.
 *
 * A backend's token that was verified before is known by its hash, which costs less than a count: its request is counted against the
 * address only when it is refused. So a backend may send from one address what it will, while a token that was revoked, or asks for what
 * its roles do not allow, uses up the address's allowance as any stranger does.
 */
export function createGuard(authenticator: Authenticator, limits: RequestLimits, refusals?: RefusalLog): Guard {
  return async (context, { access, routeClass }) => {
    const isCounted = routeClass !== "unlimited";
    const authorization = context.req.header("authorization");
    const isSpared = isCounted && access !== "public" && isBackend(authenticator.recall?.(authorization));
    if (isCounted && !isSpared) await limits.byAddress(context, routeClass);
    if (access === "public") return;
    const principal = await authenticator.authenticate(authorization).catch(async (error: unknown) => {
      if (isSpared && codeOf(error) === "UNAUTHENTICATED") await limits.byAddress(context, routeClass);
      refusals?.refused(context, error);
      throw error;
    });
    context.set("principal", principal);
    context.set("caller", principal.subject);
    if (!access.some((role) => principal.roles.includes(role))) {
      refusals?.denied(context, access);
      if (isSpared) await limits.byAddress(context, routeClass);
      throw new DomainError("FORBIDDEN");
    }
    if (isCounted) await limits.bySubject(context, routeClass);
  };
}
