import type { TokenBlacklist } from "../../adapters/redis/token-blacklist.ts";
import { dropOldest } from "../../base/drop-oldest.ts";
import { DomainError } from "../../base/errors.ts";
import type { VerifiedToken } from "../../contract/identity.ts";
import type { ReadRevocation } from "../../store/identity/revocations.ts";

/** Which tokens are refused although they are well made and have not ended. */
export interface Revocations {
  /** Throws: UNAVAILABLE when it cannot be told. */
  isRevoked(token: VerifiedToken): Promise<boolean>;
  /** Makes known at once, here and by Redis, what was written to Postgres before: the id of a token or a session. Never throws. */
  announce(id: string, expiresAtMs: number): Promise<void>;
}

/** For how long "not revoked" is believed. Without Redis another process's logout is known here after this time. */
export const BELIEVED_MS = 500;
const MAX_REMEMBERED = 20_000;

/**
 * Asks Redis for every request and Postgres at most twice a second for each token. Redis alone can only refuse; without it, or when
 * it lost its marks, Postgres refuses. An answer is believed from the moment it was asked for, not from when it came.
 */
export function createRevocations(options: {
  readonly read: ReadRevocation;
  readonly blacklist: TokenBlacklist;
  readonly now?: () => number;
}): Revocations {
  const { read, blacklist, now = Date.now } = options;
  const revoked = new Set<string>();
  const asked = new Map<string, { readonly atMs: number; readonly answer: Promise<boolean> }>();

  const isKnownRevoked = ({ id, sessionId }: VerifiedToken) => revoked.has(id) || (sessionId !== undefined && revoked.has(sessionId));
  const remember = (id: string) => {
    revoked.add(id);
    dropOldest(revoked, MAX_REMEMBERED);
  };
  const ask = (token: VerifiedToken): Promise<boolean> => {
    // An external issuer may use an id that Saldo uses as well.
    const key = `${token.keyId ?? "external"} ${token.id}`;
    const last = asked.get(key);
    if (last !== undefined && now() < last.atMs + BELIEVED_MS) return last.answer;
    const answer = read(token).catch((error: unknown) => {
      asked.delete(key);
      throw new DomainError("UNAVAILABLE", "whether the token was revoked cannot be told", {}, error);
    });
    asked.delete(key);
    asked.set(key, { atMs: now(), answer });
    dropOldest(asked, MAX_REMEMBERED);
    return answer;
  };

  return {
    async isRevoked(token) {
      if (isKnownRevoked(token)) return true;
      const inPostgres = ask(token);
      // It may fail while Redis is being asked; it is awaited below.
      inPostgres.catch(() => {});
      const inRedis = await blacklist.hasAny(token.sessionId === undefined ? [token.id] : [token.id, token.sessionId]);
      // A logout in this process may have come while the others were asked.
      if (!inRedis && !(await inPostgres)) return isKnownRevoked(token);
      remember(token.id);
      return true;
    },
    async announce(id, expiresAtMs) {
      remember(id);
      await blacklist.add(id, expiresAtMs);
    },
  };
}

/** Makes known at once that these sessions have ended, for as long as a token of theirs could still be taken. Never throws. */
export async function announceSessions(
  { revocations, accessTokenTtlMs }: { readonly revocations: Revocations; readonly accessTokenTtlMs: number },
  sessionIds: readonly string[],
): Promise<void> {
  const lastTokenEndsAtMs = Date.now() + accessTokenTtlMs;
  await Promise.all(sessionIds.map((id) => revocations.announce(id, lastTokenEndsAtMs)));
}
