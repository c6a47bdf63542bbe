import type { Role } from "../../contract/identity.ts";
import { changeRoles, type UserRecord } from "../../store/identity/users.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";
import { announceSessions } from "./revocations.ts";

/**
 * Gives a user other roles, recorded with the reason, and ends the sessions that have the old ones.
 * Safe to retry: the same roles again change nothing more. Throws: USER_NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function giveRoles(
  { db, identity }: { readonly db: Db; readonly identity: Pick<Identity, "revocations" | "accessTokenTtlMs"> },
  input: {
    readonly userId: string;
    readonly roles: readonly Role[];
    readonly reason: string;
    readonly actor: string;
    readonly correlationId: string;
  },
): Promise<UserRecord> {
  const { user, endedSessions } = await changeRoles(db, input);
  await announceSessions(identity, endedSessions);
  return user;
}
