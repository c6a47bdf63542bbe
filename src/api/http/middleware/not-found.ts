import type { NotFoundHandler } from "hono";
import { TrieRouter } from "hono/router/trie-router";
import type { Api, ApiEnv } from "../../api-env.ts";
import { OPEN_READ } from "../access.ts";
import { answerProblem } from "../error-handler.ts";
import type { Guard } from "../guard.ts";
import { listMethods, routeMethods, type RouteMethods } from "../route-methods.ts";

/**
 * Answers requests that no route took: 405 with `Allow` when the address exists for other methods, else 404. They count as reads.
 * The table of methods is built at the first such request, so that it costs nothing where there is none.
 */
export function notFound(api: Api, guard: Guard): NotFoundHandler<ApiEnv> {
  let router: TrieRouter<RouteMethods> | undefined;
  return async (context) => {
    await guard(context, OPEN_READ);
    router ??= routerOf(api);
    const routes = router.match("ALL", context.req.path)[0].map(([route]) => route);
    // `/reservations/confirm` is not also `/reservations/{reservationId}`.
    const literal = routes.filter(({ path }) => path === context.req.path);
    const methods = listMethods(literal.length > 0 ? literal : routes);
    if (methods === "") return answerProblem(context, "NOT_FOUND");
    context.header("allow", methods);
    return answerProblem(context, "METHOD_NOT_ALLOWED");
  };
}

function routerOf(api: Api): TrieRouter<RouteMethods> {
  const router = new TrieRouter<RouteMethods>();
  for (const route of routeMethods(api)) router.add("ALL", route.path, route);
  return router;
}
