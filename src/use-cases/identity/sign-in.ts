import { createHash, randomBytes } from "node:crypto";
import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import type { Role } from "../../contract/identity.ts";
import { openSession, refreshSession } from "../../store/identity/sessions.ts";
import { findUserByLogin, replacePasswordHash, type UserWithPassword } from "../../store/identity/users.ts";
import { recordAct } from "../../store/operators/operator-acts.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";

/** The tokens of a session, as the client gets them. */
export interface SessionTokens {
  readonly accessToken: string;
  readonly tokenType: "Bearer";
  readonly expiresInSeconds: number;
  readonly refreshToken: string;
  readonly userId: string;
  readonly roles: Role[];
}

interface SignInDeps {
  readonly db: Db;
  readonly identity: Identity;
}

const REFRESH_TOKEN_BYTES = 32;
/** How often the password may be changed while it is being checked. */
const ATTEMPTS = 3;

/** A refresh token is a long random text, so a plain hash of it cannot be guessed back. */
export function hashRefreshToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/**
 * Begins a session. A login nobody has and a wrong password take the same time and are answered the same.
 * Throws: INVALID_CREDENTIALS; RATE_LIMITED with the seconds in its details; UNAVAILABLE when too many log in at once.
 */
export async function signIn(
  { db, identity }: SignInDeps,
  input: { readonly login: string; readonly password: string; readonly correlationId: string },
): Promise<SessionTokens> {
  const login = input.login.normalize("NFKC").toLowerCase();
  const loginHash = await takeLoginAttempt(identity, login);
  let actor = "unknown";
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const user = await findUserByLogin(db, login);
    actor = user?.id ?? actor;
    const check = await identity.passwords.check(input.password, user?.passwordHash);
    if (user === undefined || user.disabled || check === "wrong") break;
    const { refreshToken, ...session } = planSession(identity);
    // Checking takes its time, in which the user may have been deleted or got other roles: what counts is said by the session.
    const roles = await openSession(db, { ...session, userId: user.id, passwordHash: user.passwordHash });
    if (roles === undefined) continue;
    if (check === "stale") await rehash({ db, identity }, user, input.password);
    await identity.loginAttempts?.forget(loginHash);
    return tokensOf(identity, { userId: user.id, roles, sessionId: session.id, refreshToken });
  }
  return await failLogin(db, { actor, loginHash, correlationId: input.correlationId });
}

/**
 * Counts an attempt to guess the password of a login, and returns what the login is known by where attempts are counted and noted: a hash, as somebody
 * may have typed the password into the field of the login. Throws: RATE_LIMITED with the seconds in its details.
 */
export async function takeLoginAttempt({ loginAttempts }: Pick<Identity, "loginAttempts">, login: string): Promise<string> {
  const loginHash = createHash("sha256").update(login).digest("hex").slice(0, 32);
  const allowance = await loginAttempts?.take(loginHash);
  if (allowance?.passes === false)
    throw new DomainError("RATE_LIMITED", undefined, { retryAfterSeconds: String(Math.max(1, Math.ceil(allowance.resetMs / 1_000))) });
  return loginHash;
}

/** Notes that a password was wrong. Throws: INVALID_CREDENTIALS, always. */
export async function failLogin(
  db: Db,
  { actor, loginHash, correlationId }: { readonly actor: string; readonly loginHash: string; readonly correlationId: string },
): Promise<never> {
  await recordAct(db, {
    actor,
    act: "login.failed",
    subjectType: "login",
    subjectId: loginHash,
    reason: "INVALID_CREDENTIALS",
    correlationId,
  });
  throw new DomainError("INVALID_CREDENTIALS");
}

/** A session to be, with its first refresh token, of which Postgres keeps the hash. */
export function planSession({ sessionTtlMs }: Pick<Identity, "sessionTtlMs">) {
  const refreshToken = randomBytes(REFRESH_TOKEN_BYTES).toString("base64url");
  return { id: uuidv7(), refreshToken, refreshHash: hashRefreshToken(refreshToken), expiresAt: new Date(Date.now() + sessionTtlMs) };
}

/**
 * Goes on with a session: the refresh token is used up, the next one is answered. One that was used before ends the session.
 * Not safe to retry for that reason: after a lost answer the client logs in again. Throws: INVALID_REFRESH_TOKEN.
 */
export async function refresh(
  { db, identity }: SignInDeps,
  input: { readonly refreshToken: string; readonly correlationId: string },
): Promise<SessionTokens> {
  const next = randomBytes(REFRESH_TOKEN_BYTES).toString("base64url");
  const result = await refreshSession(db, { used: hashRefreshToken(input.refreshToken), next: hashRefreshToken(next) });
  switch (result.outcome) {
    case "refreshed":
      return tokensOf(identity, { ...result, refreshToken: next });
    case "reused":
      await identity.revocations.announce(result.sessionId, Date.now() + identity.accessTokenTtlMs);
      await recordAct(db, {
        actor: result.userId,
        act: "refresh.reused",
        subjectType: "session",
        subjectId: result.sessionId,
        reason: "INVALID_REFRESH_TOKEN",
        correlationId: input.correlationId,
      });
      throw new DomainError("INVALID_REFRESH_TOKEN");
    case "unknown":
      throw new DomainError("INVALID_REFRESH_TOKEN");
  }
}

async function rehash({ db, identity }: SignInDeps, user: UserWithPassword, password: string): Promise<void> {
  await replacePasswordHash(db, { userId: user.id, from: user.passwordHash, to: await identity.passwords.hash(password) });
}

/** The tokens of a session that is open. */
export async function tokensOf(
  identity: Identity,
  session: { readonly userId: string; readonly roles: readonly Role[]; readonly sessionId: string; readonly refreshToken: string },
): Promise<SessionTokens> {
  const { token } = await identity.issueAccessToken({ subject: session.userId, roles: session.roles, sessionId: session.sessionId });
  return {
    accessToken: token,
    tokenType: "Bearer",
    expiresInSeconds: Math.floor(identity.accessTokenTtlMs / 1_000),
    refreshToken: session.refreshToken,
    userId: session.userId,
    roles: [...session.roles],
  };
}
