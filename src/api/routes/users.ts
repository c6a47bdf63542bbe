import { DomainError } from "../../errors.ts";
import { closeUser, getUser } from "../../store/users-closing.ts";
import { ADMINS, SERVICES } from "../access.ts";
import { addRoute } from "../add-route.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { announceSessions } from "../auth/revocations.ts";
import { deleteUserRoute, readUserRoute } from "../schemas/users.ts";

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
