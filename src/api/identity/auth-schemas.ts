import { createRoute, z } from "@hono/zod-openapi";
import { ROLES } from "../../contract/identity.ts";
import { SCOPES } from "../../contract/scopes.ts";
import { jsonOf, keptText, timeSchema, userIdSchema, userIdTextSchema } from "../http/common-schemas.ts";
import { momentSchema } from "../http/moment-schema.ts";

const MIN_PASSWORD_BYTES = 12;
const MAX_PASSWORD_BYTES = 128;

/** Logins that differ only in case or in their Unicode form are one login. It is of ASCII alone, so that no two logins look alike (homographs). */
const loginSchema = z
  .string()
  .max(256, "must have at most 64 characters")
  .transform((text) => text.normalize("NFKC").toLowerCase())
  .refine((text) => /^[a-z0-9][a-z0-9._@+-]{2,63}$/.test(text), "must have 3 to 64 of a-z, 0-9 and ._@+- and begin with a letter or digit")
  .openapi({ type: "string", minLength: 3, maxLength: 64, example: "anna@example.com", description: "Case does not matter." });

const newPasswordSchema = z
  .string()
  .refine((text) => {
    const bytes = Buffer.byteLength(text.normalize("NFC"));
    return bytes >= MIN_PASSWORD_BYTES && bytes <= MAX_PASSWORD_BYTES;
  }, `must have ${MIN_PASSWORD_BYTES} to ${MAX_PASSWORD_BYTES} bytes`)
  .openapi({ minLength: MIN_PASSWORD_BYTES, maxLength: MAX_PASSWORD_BYTES, format: "password" });

const refreshTokenSchema = z
  .string()
  .max(256, "is no refresh token")
  .openapi({ description: "Opaque. Each is used once; the answer holds the next one." });

const rolesSchema = z
  .array(z.enum(ROLES, `must be one of ${ROLES.join(", ")}`))
  .min(1, "must name at least one role")
  .max(ROLES.length)
  .transform((roles) => ROLES.filter((role) => roles.includes(role)))
  .openapi({
    type: "array",
    items: { type: "string", enum: [...ROLES] },
    description: "`user`: own data; `service`: moves money for all users; `admin`: everything.",
  });

const shownRolesSchema = z.array(z.enum(ROLES));

export const userSchema = z.object({ userId: z.string(), login: z.string(), roles: shownRolesSchema }).openapi("User");

export const sessionSchema = z
  .object({
    accessToken: z.string().openapi({ description: "For `Authorization: Bearer`." }),
    tokenType: z.literal("Bearer"),
    expiresInSeconds: z.number().int(),
    refreshToken: refreshTokenSchema,
    userId: z.string(),
    roles: shownRolesSchema,
  })
  .openapi("Session");

export const registerBodySchema = z
  .strictObject({
    login: loginSchema,
    password: newPasswordSchema,
    userId: userIdSchema.optional().openapi({ description: "Admins only: the id of a user who has an account here already." }),
    roles: rolesSchema.optional(),
  })
  .openapi("NewUser");

export const loginBodySchema = z
  .strictObject({
    // Text that cannot be a login or a password is not refused by its form: it is answered as wrong credentials.
    login: z.string().max(1_024),
    password: z.string().max(1_024).openapi({ format: "password" }),
  })
  .openapi("Login");

export const refreshBodySchema = z.strictObject({ refreshToken: refreshTokenSchema }).openapi("Refresh");
export const logoutBodySchema = z.strictObject({ refreshToken: refreshTokenSchema.optional() }).openapi("Logout");
export const rolesBodySchema = z.strictObject({ roles: rolesSchema, reason: keptText(500).min(1).optional() }).openapi("ChangeRoles");

export const revocationBodySchema = z
  .strictObject({
    subject: userIdSchema.openapi({ description: "The tokens' `sub`; of a user, the user's id." }),
    upTo: momentSchema.optional().openapi({
      description: "Tokens issued at this moment or before; now without it. A token without `iat` counts as older than any moment.",
    }),
    reason: keptText(500).min(1, "must not be empty"),
  })
  .openapi("NewRevocation");

export const revocationSchema = z
  .object({
    subject: z.string(),
    revokedUpTo: timeSchema,
    apiKeys: z.array(z.string()).openapi({ description: "The ids of the subject's API keys that have ended, now or before." }),
  })
  .openapi("Revocation");

export const passwordBodySchema = z
  .strictObject({
    // The old password is not refused by its form: it is answered as wrong credentials.
    oldPassword: z.string().max(1_024).openapi({ format: "password" }),
    newPassword: newPasswordSchema,
  })
  .openapi("ChangePassword");

export const loginChangeBodySchema = z.strictObject({ reason: keptText(500).min(1, "must not be empty") }).openapi("ChangeLogin");

export const loginStateSchema = userSchema.extend({ disabled: z.boolean() }).openapi("LoginState");

export const meSchema = z
  .object({
    userId: z.string(),
    login: z.string().optional(),
    roles: shownRolesSchema,
    tokenExpiresAt: timeSchema.optional(),
    apiKeyId: z.string().optional().openapi({ description: "The API key behind the request, if one is." }),
    scopes: z.array(z.enum(SCOPES)).optional().openapi({ description: "With an API key: what of the role it may use." }),
  })
  .openapi("Me");

export const keysSchema = z
  .object({
    keys: z.array(
      z.object({ kty: z.literal("RSA"), kid: z.string(), alg: z.literal("RS256"), use: z.literal("sig"), n: z.string(), e: z.string() }),
    ),
  })
  .openapi("PublicKeys");

export const registerRoute = createRoute({
  method: "post",
  path: "/api/v1/auth/register",
  operationId: "register",
  tags: ["auth"],
  summary: "Make a login for a new user",
  description:
    "Anyone may register and becomes a `user` with a new id. An admin's token may give `userId` and `roles`; then the login or the id may be a deleted user's.",
  request: { body: { required: true, ...jsonOf(registerBodySchema) } },
  responses: { 201: { description: "Registered.", ...jsonOf(userSchema) } },
});

export const loginRoute = createRoute({
  method: "post",
  path: "/api/v1/auth/login",
  operationId: "login",
  tags: ["auth"],
  summary: "Begin a session",
  request: { body: { required: true, ...jsonOf(loginBodySchema) } },
  responses: { 200: { description: "The session's tokens.", ...jsonOf(sessionSchema) } },
});

export const refreshRoute = createRoute({
  method: "post",
  path: "/api/v1/auth/refresh",
  operationId: "refreshSession",
  tags: ["auth"],
  summary: "Go on with a session",
  description: "The refresh token is used up. A refresh token that comes a second time counts as stolen: the whole session ends.",
  request: { body: { required: true, ...jsonOf(refreshBodySchema) } },
  responses: { 200: { description: "The session's next tokens.", ...jsonOf(sessionSchema) } },
});

export const logoutRoute = createRoute({
  method: "post",
  path: "/api/v1/auth/logout",
  operationId: "logout",
  tags: ["auth"],
  summary: "End the session of this token",
  description: "The token, and all others of its session, are refused from now on. With `refreshToken` that token's session ends as well.",
  request: { body: { required: false, ...jsonOf(logoutBodySchema) } },
  responses: { 204: { description: "Ended." } },
});

export const rolesRoute = createRoute({
  method: "put",
  path: "/api/v1/auth/users/{userId}/roles",
  operationId: "changeRoles",
  tags: ["auth"],
  summary: "Give a user other roles",
  description: "The user's sessions end, so that no token with the old roles goes on.",
  request: { params: z.object({ userId: userIdTextSchema }), body: { required: true, ...jsonOf(rolesBodySchema) } },
  responses: { 200: { description: "The user as they are now.", ...jsonOf(userSchema) } },
});

export const revokeTokensRoute = createRoute({
  method: "post",
  path: "/api/v1/auth/revocations",
  operationId: "revokeTokens",
  tags: ["auth"],
  summary: "Refuse all tokens of a subject that were issued up to a moment",
  description:
    "For a token that was stolen, whoever signed it: a user's, a service's, an operator's or one of the external issuer. Sessions of that time end. In " +
    "force within half a second, and for ever: a later token of the subject is taken. A repeat, or an earlier moment, changes nothing. " +
    "API keys of the subject that were made up to then end as well.",
  request: { body: { required: true, ...jsonOf(revocationBodySchema) } },
  responses: { 200: { description: "In force.", ...jsonOf(revocationSchema) } },
});

export const passwordRoute = createRoute({
  method: "post",
  path: "/api/v1/auth/password",
  operationId: "changePassword",
  tags: ["auth"],
  summary: "Change one's own password",
  description:
    "Ends every session and every token of the caller, this one as well, and begins a new session, which is answered. Wrong old passwords count like failed logins.",
  request: { body: { required: true, ...jsonOf(passwordBodySchema) } },
  responses: { 200: { description: "The new session's tokens.", ...jsonOf(sessionSchema) } },
});

export const disableLoginRoute = createRoute({
  method: "post",
  path: "/api/v1/auth/users/{userId}/disable",
  operationId: "disableLogin",
  tags: ["auth"],
  summary: "Let nobody in with a user's login",
  description:
    "From now on the password, refresh tokens and every token of the user are answered 401, also tokens of the external issuer and operators' own, in all processes within half " +
    "a second. Money, orders and reservations stay as they are. API keys whose subject the user is end for good.",
  request: { params: z.object({ userId: userIdTextSchema }), body: { required: true, ...jsonOf(loginChangeBodySchema) } },
  responses: { 200: { description: "Disabled.", ...jsonOf(loginStateSchema) } },
});

export const enableLoginRoute = createRoute({
  method: "post",
  path: "/api/v1/auth/users/{userId}/enable",
  operationId: "enableLogin",
  tags: ["auth"],
  summary: "Let a user in again",
  description: "They log in anew with the same password: sessions and tokens from before stay ended.",
  request: { params: z.object({ userId: userIdTextSchema }), body: { required: true, ...jsonOf(loginChangeBodySchema) } },
  responses: { 200: { description: "Enabled.", ...jsonOf(loginStateSchema) } },
});

export const meRoute = createRoute({
  method: "get",
  path: "/api/v1/auth/me",
  operationId: "me",
  tags: ["auth"],
  summary: "Who the token says I am",
  responses: { 200: { description: "You.", ...jsonOf(meSchema) } },
});

export const keysRoute = createRoute({
  method: "get",
  path: "/.well-known/jwks.json",
  operationId: "publicKeys",
  tags: ["auth"],
  summary: "The public keys of Saldo's access tokens",
  description: "A JSON Web Key Set (RFC 7517). A key stands here before it signs, and until its last token has ended.",
  responses: { 200: { description: "The keys.", ...jsonOf(keysSchema) } },
});
