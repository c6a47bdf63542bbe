import { DomainError, type ErrorCode } from "../../base/errors.ts";
import type { Principal, Role } from "../../contract/identity.ts";
import type { ApiContext } from "../api-env.ts";

/** Who may call a route: anyone, or whoever has one of these roles. Where `user` stands, the handler lets users see their own data only. */
export type Access = "public" | readonly Role[];

/** The name of the access token's scheme in the OpenAPI document. */
export const BEARER = "accessToken";

/** The access of a page that anyone may read; its requests count against the allowance of their address. */
export const OPEN_READ = { access: "public", routeClass: "read" } as const;

export const OWN_DATA: Access = ["user", "service", "admin"];
export const SERVICES: Access = ["service", "admin"];
export const ADMINS: Access = ["admin"];

/**
 * Passes for a service, an admin, and the user whose data it is. To any other user the data looks as if it did not exist.
 * Throws: `code`; give the code with which the route answers data that is not there.
 */
export function requireOwn(context: ApiContext, userId: string, code: ErrorCode): void {
  const only = onlyUserOf(context.get("principal"));
  if (only !== undefined && only !== userId) throw new DomainError(code);
}

/** The only user whose data the principal may see, or undefined when they may see everyone's. */
export function onlyUserOf(principal: Principal): string | undefined {
  return isBackend(principal) ? undefined : principal.subject;
}

/** True for a program that speaks for many users, and for an operator. */
export function isBackend(principal: Principal | undefined): boolean {
  return principal?.roles.some((role) => role !== "user") ?? false;
}
