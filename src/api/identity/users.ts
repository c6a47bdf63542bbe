import { DomainError } from "../../base/errors.ts";
import { getUser } from "../../store/identity/users-closing.ts";
import { deleteUser } from "../../use-cases/identity/delete-user.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS, SERVICES } from "../http/access.ts";
import { actorOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { deleteUserRoute, readUserRoute } from "./users-schemas.ts";

/** Users: whether they are known, and their end. */
export function addUserRoutes(routes: Routes, deps: ApiDeps): void {
  routes.add(readUserRoute, { access: SERVICES, problems: ["USER_NOT_FOUND"] }, async (context) => {
    const user = await getUser(deps.db, context.req.valid("param").userId);
    if (user === undefined) throw new DomainError("USER_NOT_FOUND");
    const { userId, since, roles, loginDisabledAt } = user;
    return context.json(
      {
        userId,
        since: since.toISOString(),
        ...(roles === undefined ? {} : { roles: [...roles] }),
        ...(loginDisabledAt === undefined ? {} : { loginDisabledAt: loginDisabledAt.toISOString() }),
      },
      200,
    );
  });

  routes.add(deleteUserRoute, { access: ADMINS, problems: ["USER_NOT_FOUND", "USER_IN_USE"] }, async (context) => {
    const { userId } = context.req.valid("param");
    const { login, endedSessions } = await deleteUser(deps, { userId, ...actorOf(context) });
    return context.json(
      { userId, ...(login === undefined ? {} : { login }), sessionsEnded: endedSessions, meaning: meaningOf(login) },
      200,
    );
  });
}

function meaningOf(login: string | undefined): string {
  const id =
    "The id is nobody's until money comes for it again; the history stays; tokens from before, and API keys that name the id, are refused.";
  return login === undefined ? id : `${id} The login stays taken: only an admin's register gives it again, to this id or to another.`;
}
