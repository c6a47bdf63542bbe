import { setLoginDisabled } from "../../store/identity/logins.ts";
import type { UserRecord } from "../../store/identity/users.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";
import { announceSessions } from "./revocations.ts";

/**
 * Lets nobody in with a login, neither by password, refresh token nor any token of its subject, within `BELIEVED_MS` in every process; or lets in
 * again who logs in anew. Safe to retry. Throws: USER_NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function disableLogin(
  { db, identity }: { readonly db: Db; readonly identity: Pick<Identity, "revocations" | "accessTokenTtlMs"> },
  input: {
    readonly userId: string;
    readonly isDisabled: boolean;
    readonly reason: string;
    readonly actor: string;
    readonly correlationId: string;
  },
): Promise<UserRecord> {
  const { login, roles, endedSessions } = await setLoginDisabled(db, input);
  await announceSessions(identity, endedSessions);
  return { id: input.userId, login, roles, disabled: input.isDisabled };
}
