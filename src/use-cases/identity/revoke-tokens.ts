import { revokeSubject, type SubjectRevocation } from "../../store/identity/revocations.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";
import { announceSessions } from "./revocations.ts";

/**
 * Has no token of the subject taken any more that was issued up to a moment: of a user, a service, an operator or somebody of the external
 * issuer. Ends the sessions of that time everywhere at once; other tokens, and the API keys of that time, are refused within `BELIEVED_MS`. Returns the
 * moment in force and the keys that ended.
 * Safe to retry: an earlier moment changes nothing. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function revokeTokens(
  { db, identity }: { readonly db: Db; readonly identity: Pick<Identity, "revocations" | "apiKeys" | "accessTokenTtlMs"> },
  revocation: SubjectRevocation,
): Promise<{ readonly revokedUpTo: Date; readonly endedKeys: readonly string[] }> {
  const { revokedUpTo, endedSessions, endedKeys } = await revokeSubject(db, revocation);
  for (const keyId of endedKeys) identity.apiKeys.forget(keyId);
  await announceSessions(identity, endedSessions);
  return { revokedUpTo, endedKeys };
}
