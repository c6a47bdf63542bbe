import type { ApiContext } from "../api-env.ts";

/** Who asks, and by which id the logs and histories of the request are found. */
export interface RequestOrigin {
  readonly caller: string;
  readonly correlationId: string;
}

/** The origin of a request, as operations and workflows are signed with it. */
export function originOf(context: ApiContext): RequestOrigin {
  return { caller: context.get("caller"), correlationId: context.get("correlationId") };
}

/** The origin of a request as the operators' book names it: there the caller is the one who acts. */
export function actorOf(context: ApiContext): { readonly actor: string; readonly correlationId: string } {
  return { actor: context.get("caller"), correlationId: context.get("correlationId") };
}
