import { closeUser } from "../../store/identity/users-closing.ts";
import { findUser } from "../../store/identity/users.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";
import { announceSessions } from "./revocations.ts";

/**
 * Deletes a user without money, open reservations and running orders, and ends the user's sessions everywhere. The history stays.
 * Returns the login that they had, and how many sessions ended.
 * Safe to retry: a user who is gone answers USER_NOT_FOUND. Throws: USER_NOT_FOUND, USER_IN_USE, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function deleteUser(
  { db, identity }: { readonly db: Db; readonly identity: Pick<Identity, "revocations" | "accessTokenTtlMs"> },
  input: { readonly userId: string; readonly actor: string; readonly correlationId: string },
): Promise<{ readonly login: string | undefined; readonly endedSessions: number }> {
  const endedSessions = await closeUser(db, input);
  await announceSessions(identity, endedSessions);
  return { login: (await findUser(db, input.userId))?.login, endedSessions: endedSessions.length };
}
