import type { MiddlewareHandler } from "hono";
import type { ApiEnv } from "../api-env.ts";

/**
 * Ends the body of an answer to HEAD, so that what it keeps open (a slot, a file) is given back: the router answers a HEAD with the headers
 * of the GET and drops that one's body unread.
 */
export const endBodyOfHead: MiddlewareHandler<ApiEnv> = async (context, next) => {
  await next();
  if (context.req.method === "HEAD") await context.res.body?.cancel();
};
