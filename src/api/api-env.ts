import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Principal } from "../contract/identity.ts";

/** What an Idempotency-Key stands for, per caller and route: a permanent key in the ledger, and the id of what the request creates. */
export interface RequestIdentity {
  readonly key: string;
  readonly id: string;
}

/** What a request knows about itself. Data only: what serves requests is given to `createRoutes`. */
export interface ApiEnv {
  readonly Variables: {
    correlationId: string;
    /** Who asks. Set for every route that is not public. */
    principal: Principal;
    /** The principal's subject: what Idempotency-Keys are scoped by and operations are signed with. */
    caller: string;
    /** What the request's Idempotency-Key stands for on `route`, once it was read. */
    requestIdentity: { readonly route: string; readonly identity: RequestIdentity };
    /** True when this request's answer is not to be kept. */
    answerNotKept?: boolean;
    /** The pattern of the route that took the request, for the log. */
    route: string;
    /** What the path names, by the route's own names such as `orderId`, for the log. */
    named: Readonly<Record<string, string>>;
    /** The code of the problem that is answered, for the log. */
    problemCode: string;
  };
}

export type Api = OpenAPIHono<ApiEnv>;
export type ApiContext = Context<ApiEnv>;
