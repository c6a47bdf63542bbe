import type { Principal } from "../../contract/identity.ts";
import { recordLogout } from "../../store/identity/revocations.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";
import { announceSessions } from "./revocations.ts";
import { hashRefreshToken } from "./sign-in.ts";

/** A token is taken for so long after its end, and its refusal is kept for longer. */
const REFUSED_AFTER_END_MS = 3_600_000;

/**
 * Refuses the principal's token from now on and ends its session, and the session of `refreshToken` when it is the principal's, or
 * anyone's for an admin. Postgres is written first and decides; Redis only tells the other processes sooner. Safe to retry: what is refused stays refused. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function logOut(
  { db, identity }: { readonly db: Db; readonly identity: Pick<Identity, "revocations" | "accessTokenTtlMs"> },
  { subject, roles, token }: Principal,
  refreshToken: string | undefined,
): Promise<void> {
  const ended = await recordLogout(db, {
    token: token && { id: token.id, subject, refusedUntil: new Date(token.expiresAtMs + REFUSED_AFTER_END_MS) },
    sessionId: token?.sessionId,
    refresh:
      refreshToken === undefined ? undefined : { hash: hashRefreshToken(refreshToken), userId: subject, ofAnyone: roles.includes("admin") },
  });
  if (token !== undefined) await identity.revocations.announce(token.id, token.expiresAtMs);
  await announceSessions(identity, ended);
}
