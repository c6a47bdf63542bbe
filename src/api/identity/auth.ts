import { DomainError } from "../../base/errors.ts";
import { findUser, type UserRecord } from "../../store/identity/users.ts";
import { changePassword } from "../../use-cases/identity/change-password.ts";
import { disableLogin } from "../../use-cases/identity/disable-login.ts";
import { giveRoles } from "../../use-cases/identity/give-roles.ts";
import { logOut } from "../../use-cases/identity/log-out.ts";
import { registerUser } from "../../use-cases/identity/register-user.ts";
import { revokeTokens } from "../../use-cases/identity/revoke-tokens.ts";
import { refresh, signIn } from "../../use-cases/identity/sign-in.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS, OWN_DATA } from "../http/access.ts";
import { InvalidRequest } from "../http/error-handler.ts";
import { actorOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import {
  disableLoginRoute,
  enableLoginRoute,
  keysRoute,
  loginRoute,
  logoutRoute,
  meRoute,
  passwordRoute,
  refreshRoute,
  registerRoute,
  revokeTokensRoute,
  rolesRoute,
} from "./auth-schemas.ts";

/** Registering, logging in and out, and the keys by which others verify the tokens. */
export function addAuthRoutes(routes: Routes, deps: ApiDeps): void {
  const { db, identity, authenticator } = deps;
  const open = { access: "public", routeClass: "login" } as const;

  routes.add(registerRoute, { ...open, problems: ["LOGIN_TAKEN", "UNAUTHENTICATED", "FORBIDDEN", "UNAVAILABLE"] }, async (context) => {
    const { login, password, userId, roles } = context.req.valid("json");
    // Only an admin may say whose money the login gives: else anyone could take over the balance of a user known from elsewhere.
    let givenBy: { actor: string; correlationId: string } | undefined;
    if (userId !== undefined || roles !== undefined) {
      const principal = await authenticator.authenticate(context.req.header("authorization"));
      if (!principal.roles.includes("admin")) throw new DomainError("FORBIDDEN");
      givenBy = { actor: principal.subject, correlationId: context.get("correlationId") };
    }
    const user = await registerUser(deps, { login, password, userId, roles, givenBy });
    return context.json(show(user), 201);
  });

  routes.add(loginRoute, { ...open, problems: ["INVALID_CREDENTIALS", "UNAVAILABLE"] }, async (context) => {
    const input = { ...context.req.valid("json"), correlationId: context.get("correlationId") };
    return context.json(await signIn(deps, input).catch((error: unknown) => tellWhenToRetry(context, error)), 200);
  });

  routes.add(refreshRoute, { ...open, problems: ["INVALID_REFRESH_TOKEN", "UNAVAILABLE"] }, async (context) =>
    context.json(await refresh(deps, { ...context.req.valid("json"), correlationId: context.get("correlationId") }), 200),
  );

  routes.add(logoutRoute, { access: OWN_DATA, bodyOptional: true }, async (context) => {
    const { refreshToken } = context.req.valid("json");
    await logOut(deps, context.get("principal"), refreshToken);
    return context.body(null, 204);
  });

  routes.add(rolesRoute, { access: ADMINS, problems: ["USER_NOT_FOUND"] }, async (context) => {
    const { userId } = context.req.valid("param");
    const { roles, reason = "" } = context.req.valid("json");
    const user = await giveRoles(deps, { userId, roles, reason, ...actorOf(context) });
    return context.json(show(user), 200);
  });

  routes.add(revokeTokensRoute, { access: ADMINS }, async (context) => {
    const { subject, upTo, reason } = context.req.valid("json");
    const moment = upTo === undefined ? undefined : new Date(upTo);
    if (moment !== undefined && moment.getTime() > Date.now())
      throw new InvalidRequest([{ pointer: "/upTo", message: "must not lie in the future" }]);
    const { revokedUpTo, endedKeys } = await revokeTokens(deps, { subject, upTo: moment, reason, ...actorOf(context) });
    return context.json({ subject, revokedUpTo: revokedUpTo.toISOString(), apiKeys: [...endedKeys] }, 200);
  });

  routes.add(passwordRoute, { access: OWN_DATA, routeClass: "login", problems: ["INVALID_CREDENTIALS"] }, async (context) => {
    const { oldPassword, newPassword } = context.req.valid("json");
    const input = { principal: context.get("principal"), oldPassword, newPassword, correlationId: context.get("correlationId") };
    return context.json(await changePassword(deps, input).catch((error: unknown) => tellWhenToRetry(context, error)), 200);
  });

  for (const { route, isDisabled } of [
    { route: disableLoginRoute, isDisabled: true },
    { route: enableLoginRoute, isDisabled: false },
  ])
    routes.add(route, { access: ADMINS, problems: ["USER_NOT_FOUND"] }, async (context) => {
      const { userId } = context.req.valid("param");
      const { reason } = context.req.valid("json");
      const user = await disableLogin(deps, { userId, isDisabled, reason, ...actorOf(context) });
      return context.json({ ...show(user), disabled: user.disabled }, 200);
    });

  routes.add(meRoute, { access: OWN_DATA }, async (context) => {
    const { subject, roles, token, key } = context.get("principal");
    const user = await findUser(db, subject);
    return context.json(
      {
        userId: subject,
        ...(user === undefined || user.disabled ? {} : { login: user.login }),
        roles: [...roles],
        ...(token === undefined ? {} : { tokenExpiresAt: new Date(token.expiresAtMs).toISOString() }),
        ...(key === undefined ? {} : { apiKeyId: key.keyId, scopes: [...key.scopes] }),
      },
      200,
    );
  });

  routes.add(keysRoute, { access: "public" }, (context) => {
    context.header("cache-control", `public, max-age=${identity.keysMaxAgeSeconds}`);
    return context.json({ keys: [...identity.publishedKeys()] }, 200);
  });
}

function tellWhenToRetry(context: ApiContext, error: unknown): never {
  const seconds = error instanceof DomainError ? error.details["retryAfterSeconds"] : undefined;
  if (seconds !== undefined) context.header("retry-after", seconds);
  throw error;
}

function show({ id, login, roles }: UserRecord) {
  return { userId: id, login, roles: [...roles] };
}
