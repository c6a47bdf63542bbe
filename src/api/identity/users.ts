import { DomainError } from "../../base/errors.ts";
import { closeUser, getUser } from "../../store/identity/users-closing.ts";
import { announceSessions } from "../../use-cases/identity/revocations.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { ADMINS, SERVICES } from "../http/access.ts";
import { addRoute } from "../http/add-route.ts";
import { deleteUserRoute, readUserRoute } from "./users-schemas.ts";

const OUTAGES = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;

/** Users: whether they are known, and their end. */
export function addUserRoutes(api: Api, { db, identity, settings }: ApiDeps): void {
  const { maxBodyBytes } = settings;

  addRoute(api, readUserRoute, { access: SERVICES, maxBodyBytes, problems: ["USER_NOT_FOUND", ...OUTAGES] }, async (context) => {
    const user = await getUser(db, context.req.valid("param").userId);
    if (user === undefined) throw new DomainError("USER_NOT_FOUND");
    const { userId, since, roles } = user;
    return context.json({ userId, since: since.toISOString(), ...(roles === undefined ? {} : { roles: [...roles] }) }, 200);
  });

  addRoute(
    api,
    deleteUserRoute,
    { access: ADMINS, maxBodyBytes, problems: ["USER_NOT_FOUND", "USER_IN_USE", ...OUTAGES] },
    async (context) => {
      const { userId } = context.req.valid("param");
      const ended = await closeUser(db, { userId, actor: context.get("caller"), correlationId: context.get("correlationId") });
      await announceSessions(identity, ended);
      return context.body(null, 204);
    },
  );
}
