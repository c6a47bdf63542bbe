import { DomainError } from "../../base/errors.ts";
import type { Principal } from "../../contract/identity.ts";
import type { ApiContext } from "../api-env.ts";
import type { Access } from "./access.ts";
import type { RefusalLog } from "./refusal-log.ts";

/** Tells whose token a request has. Throws: UNAUTHENTICATED whatever is wrong with the token; UNAVAILABLE when it cannot be checked. */
export interface Authenticator {
  /** `authorization` is the header as it came. */
  authenticate(authorization: string | undefined): Promise<Principal>;
}

/** The allowance that a route counts against. `unlimited` is for what supervisors and collectors ask every second. */
export type RouteClass = "read" | "write" | "login" | "unlimited";

/** Counts requests. Throws: RATE_LIMITED. Sets the `RateLimit` headers. */
export interface RequestLimits {
  /** Before anything else is done for the request. */
  byAddress(context: ApiContext, routeClass: RouteClass): Promise<void>;
  /** After the token and the role were checked. */
  bySubject(context: ApiContext, routeClass: RouteClass): Promise<void>;
}

/** What each route asks before its handler runs. Throws: UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED, UNAVAILABLE. */
export type Guard = (context: ApiContext, route: { readonly access: Access; readonly routeClass: RouteClass }) => Promise<void>;

/**
 * Checks the address's allowance, then the token, then the role, then the subject's allowance. In this order a flood from one address
 * costs no checks of tokens, and requests with a wrong role use up none of the subject's allowance.
 */
export function createGuard(authenticator: Authenticator, limits: RequestLimits, refusals?: RefusalLog): Guard {
  return async (context, { access, routeClass }) => {
    if (routeClass !== "unlimited") await limits.byAddress(context, routeClass);
    if (access === "public") return;
    const principal = await authenticator.authenticate(context.req.header("authorization")).catch((error: unknown) => {
      refusals?.refused(context, error);
      throw error;
    });
    context.set("principal", principal);
    context.set("caller", principal.subject);
    if (!access.some((role) => principal.roles.includes(role))) {
      refusals?.denied(context, access);
      throw new DomainError("FORBIDDEN");
    }
    if (routeClass !== "unlimited") await limits.bySubject(context, routeClass);
  };
}
