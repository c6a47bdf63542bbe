import { DomainError } from "../../base/errors.ts";
import type { Principal } from "../../contract/identity.ts";
import { changePasswordHash } from "../../store/identity/logins.ts";
import { findUserWithPassword } from "../../store/identity/users.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";
import { announceSessions } from "./revocations.ts";
import { failLogin, planSession, takeLoginAttempt, tokensOf, type SessionTokens } from "./sign-in.ts";

/**
 * Gives the principal another password, ends every session and token they had, and begins a new session, whose tokens it returns. A wrong password
 * counts as a failed login. Not safe to retry: the second call has the wrong password.
 * Throws: INVALID_CREDENTIALS, also for who has no login here or a disabled one; RATE_LIMITED with the seconds in its details; UNAVAILABLE.
 */
export async function changePassword(
  { db, identity }: { readonly db: Db; readonly identity: Identity },
  input: { readonly principal: Principal; readonly oldPassword: string; readonly newPassword: string; readonly correlationId: string },
): Promise<SessionTokens> {
  const { principal, correlationId } = input;
  const user = await findUserWithPassword(db, principal.subject);
  const loginHash = await takeLoginAttempt(identity, user?.login ?? principal.subject);
  const check = await identity.passwords.check(input.oldPassword, user?.passwordHash);
  if (user === undefined || user.disabled || check === "wrong")
    return await failLogin(db, { actor: principal.subject, loginHash, correlationId });
  const { refreshToken, ...session } = planSession(identity);
  const to = await identity.passwords.hash(input.newPassword);
  const changed = await changePasswordHash(db, { userId: user.id, from: user.passwordHash, to, session, correlationId });
  // The password was changed, or the login disabled, while it was being checked.
  if (changed === undefined) throw new DomainError("INVALID_CREDENTIALS");
  await announceSessions(identity, changed.endedSessions);
  await identity.loginAttempts?.forget(loginHash);
  return await tokensOf(identity, { userId: user.id, roles: changed.roles, sessionId: session.id, refreshToken });
}
