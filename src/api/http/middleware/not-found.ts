import type { NotFoundHandler } from "hono";
import { TrieRouter } from "hono/router/trie-router";
import type { Api, ApiEnv } from "../../api-env.ts";
import { OPEN_READ } from "../access.ts";
import { answerProblem } from "../error-handler.ts";
import type { Guard } from "../guard.ts";

/**
 * Answers requests that no route took: 405 with `Allow` when the address exists for other methods, else 404. They count as reads.
 * The table of methods is built at the first such request, so that it costs nothing where there is none.
 */
export function notFound(api: Api, guard: Guard): NotFoundHandler<ApiEnv> {
  let router: TrieRouter<readonly string[]> | undefined;
  return async (context) => {
    await guard(context, OPEN_READ);
    router ??= methodsByPath(api);
    const matches = router.match("ALL", context.req.path)[0];
    const methods = [...new Set(matches.flatMap(([allowed]) => allowed))].sort();
    if (methods.length === 0) return answerProblem(context, "NOT_FOUND");
    context.header("allow", methods.join(", "));
    return answerProblem(context, "METHOD_NOT_ALLOWED");
  };
}

function methodsByPath(api: Api): TrieRouter<readonly string[]> {
  const router = new TrieRouter<readonly string[]>();
  for (const { method, path } of api.routes) {
    if (method === "ALL") continue;
    router.add("ALL", path, method === "GET" ? ["GET", "HEAD"] : [method]);
  }
  return router;
}
