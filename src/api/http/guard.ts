import { codeOf, DomainError } from "../../base/errors.ts";
import type { Principal } from "../../contract/identity.ts";
import type { ApiContext } from "../api-env.ts";
import { isBackend, type Access } from "./access.ts";
import type { RefusalLog } from "./refusal-log.ts";
import type { RouteClass } from "./route-class.ts";
import type { RouteScope } from "./route-scope.ts";

/** A token that was verified before. */
export interface RecalledToken {
  /** Whose it is, if it was not revoked since. */
  readonly principal: Principal;
  /** As `authenticate`, without verifying it again. */
  confirm(): Promise<Principal>;
}

/** Tells whose token a request has. Throws: UNAUTHENTICATED whatever is wrong with the token; UNAVAILABLE when it cannot be checked. */
export interface Authenticator {
  /** `authorization` is the header as it came. */
  authenticate(authorization: string | undefined): Promise<Principal>;
  /**
   * The token, where it was verified before and still holds; undefined for every other one. It costs a hash. Without it every request
   * counts against its address.
   */
  recall?(authorization: string | undefined): RecalledToken | undefined;
}

/** Counts requests. Throws: RATE_LIMITED. Sets the `RateLimit` headers. */
export interface RequestLimits {
  /** Before anything else is done for the request, or once a request that was spared it is refused. */
  byAddress(context: ApiContext, routeClass: RouteClass): Promise<void>;
  /** After the token and the role were checked. */
  bySubject(context: ApiContext, routeClass: RouteClass): Promise<void>;
}

/** What each route asks before its handler runs. Throws: UNAUTHENTICATED, FORBIDDEN, INSUFFICIENT_SCOPE, RATE_LIMITED, UNAVAILABLE. */
export type Guard = (
  context: ApiContext,
  route: { readonly access: Access; readonly routeClass: RouteClass; readonly scope?: RouteScope },
) => Promise<void>;

/**
 * Checks the address's allowance, then the token, then the role, then the scope of an API key, then the subject's allowance. In this order a flood from one address
 * costs no checks of tokens, and requests with a wrong role use up none of the subject's allowance.
 *
 * A backend's token that was verified before is known by its hash, which costs less than a count: its request is counted against the
 * address only when it is refused. So a backend may send from one address what it will, while a token that was revoked, or asks for what
 * its roles or scopes do not allow, uses up the address's allowance like a stranger's.
 */
export function createGuard(authenticator: Authenticator, limits: RequestLimits, refusals?: RefusalLog): Guard {
  return async (context, { access, routeClass, scope }) => {
    const isCounted = routeClass !== "unlimited";
    const authorization = context.req.header("authorization");
    const recalled = access === "public" ? undefined : authenticator.recall?.(authorization);
    const isSpared = isCounted && isBackend(recalled?.principal);
    if (isCounted && !isSpared) await limits.byAddress(context, routeClass);
    if (access === "public") return;
    const asking = recalled === undefined ? authenticator.authenticate(authorization) : recalled.confirm();
    const principal = await asking.catch(async (error: unknown) => {
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
    if (!allowsScope(principal, scope)) {
      if (isSpared) await limits.byAddress(context, routeClass);
      // RFC 6750, section 3.1.
      context.header("www-authenticate", `Bearer error="insufficient_scope"${scope === undefined ? "" : `, scope="${scope}"`}`);
      throw new DomainError("INSUFFICIENT_SCOPE", scope === undefined ? "no API key may call this" : `this needs the scope ${scope}`);
    }
    if (isCounted) await limits.bySubject(context, routeClass);
  };
}

// A key is refused where the route names no scope, so that a route nobody thought of is closed to keys.
function allowsScope({ key }: Principal, scope: RouteScope): boolean {
  return key === undefined || scope === "any" || (scope !== undefined && key.scopes.includes(scope));
}
