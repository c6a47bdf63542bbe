import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import { recordLogout } from "../../store/identity/revocations.ts";
import { changeRoles, createUser, findUser, type UserRecord } from "../../store/identity/users.ts";
import { announceSessions } from "../../use-cases/identity/revocations.ts";
import { hashRefreshToken, refresh, signIn } from "../../use-cases/identity/sign-in.ts";
import type { Api, ApiContext, ApiDeps } from "../api-env.ts";
import { ADMINS, OWN_DATA } from "../http/access.ts";
import { addRoute } from "../http/add-route.ts";
import { keysRoute, loginRoute, logoutRoute, meRoute, refreshRoute, registerRoute, rolesRoute } from "./auth-schemas.ts";

const OUTAGES = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;
/** A token is taken for so long after its end, and its refusal is kept for longer. */
const REFUSED_AFTER_END_MS = 3_600_000;

/** Registering, logging in and out, and the keys by which others verify the tokens. */
export function addAuthRoutes(api: Api, deps: ApiDeps): void {
  const { db, identity, authenticator, settings } = deps;
  const { maxBodyBytes } = settings;
  const open = { access: "public", routeClass: "login", maxBodyBytes } as const;

  addRoute(api, registerRoute, { ...open, problems: ["LOGIN_TAKEN", "UNAUTHENTICATED", "FORBIDDEN", ...OUTAGES] }, async (context) => {
    const { login, password, userId, roles } = context.req.valid("json");
    // Only an admin may say whose money the login gives: else anyone could take over the balance of a user known from elsewhere.
    if (userId !== undefined || roles !== undefined) {
      const principal = await authenticator.authenticate(context.req.header("authorization"));
      if (!principal.roles.includes("admin")) throw new DomainError("FORBIDDEN");
    }
    const user = await createUser(db, {
      id: userId ?? uuidv7(),
      login,
      passwordHash: await identity.passwords.hash(password),
      roles: roles ?? ["user"],
    });
    return context.json(show(user), 201);
  });

  addRoute(api, loginRoute, { ...open, problems: ["INVALID_CREDENTIALS", ...OUTAGES] }, async (context) => {
    const input = { ...context.req.valid("json"), correlationId: context.get("correlationId") };
    return context.json(await signIn(deps, input).catch((error: unknown) => tellWhenToRetry(context, error)), 200);
  });

  addRoute(api, refreshRoute, { ...open, problems: ["INVALID_REFRESH_TOKEN", ...OUTAGES] }, async (context) =>
    context.json(await refresh(deps, { ...context.req.valid("json"), correlationId: context.get("correlationId") }), 200),
  );

  addRoute(api, logoutRoute, { access: OWN_DATA, maxBodyBytes, bodyOptional: true, problems: [...OUTAGES] }, async (context) => {
    const { refreshToken } = context.req.valid("json");
    const { subject, roles, token } = context.get("principal");
    const ended = await recordLogout(db, {
      token: token && { id: token.id, subject, refusedUntil: new Date(token.expiresAtMs + REFUSED_AFTER_END_MS) },
      sessionId: token?.sessionId,
      refresh:
        refreshToken === undefined
          ? undefined
          : { hash: hashRefreshToken(refreshToken), userId: subject, ofAnyone: roles.includes("admin") },
    });
    if (token !== undefined) await identity.revocations.announce(token.id, token.expiresAtMs);
    await announceSessions(identity, ended);
    return context.body(null, 204);
  });

  addRoute(api, rolesRoute, { access: ADMINS, maxBodyBytes, problems: ["USER_NOT_FOUND", ...OUTAGES] }, async (context) => {
    const { userId } = context.req.valid("param");
    const { roles, reason = "" } = context.req.valid("json");
    const { user, endedSessions } = await changeRoles(db, {
      userId,
      roles,
      reason,
      actor: context.get("caller"),
      correlationId: context.get("correlationId"),
    });
    await announceSessions(identity, endedSessions);
    return context.json(show(user), 200);
  });

  addRoute(api, meRoute, { access: OWN_DATA, maxBodyBytes, problems: [...OUTAGES] }, async (context) => {
    const { subject, roles, token } = context.get("principal");
    const user = await findUser(db, subject);
    return context.json(
      {
        userId: subject,
        ...(user === undefined ? {} : { login: user.login }),
        roles: [...roles],
        ...(token === undefined ? {} : { tokenExpiresAt: new Date(token.expiresAtMs).toISOString() }),
      },
      200,
    );
  });

  addRoute(api, keysRoute, { access: "public", maxBodyBytes, problems: [] }, (context) => {
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
