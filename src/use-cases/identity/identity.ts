import type { RateLimit } from "../../adapters/redis/rate-limits.ts";
import type { PublicJwk } from "../../adapters/tokens/key-files.ts";
import type { PasswordHasher } from "../../adapters/tokens/password-hash.ts";
import type { Role, TokenClient } from "../../contract/identity.ts";
import type { ApiKeyCheck } from "./api-key-check.ts";
import type { Revocations } from "./revocations.ts";

/** What registering, logging in and logging out stand on. */
export interface Identity {
  /** Signs an access token for a session, or for an API key; it ends at `endsAtMs` when that is sooner than `accessTokenTtlMs` from now. */
  issueAccessToken(claims: {
    readonly subject: string;
    readonly roles: readonly Role[];
    readonly sessionId?: string;
    readonly client?: TokenClient;
    readonly endsAtMs?: number;
  }): Promise<{ readonly token: string; readonly expiresAtMs: number }>;
  /** The keys that tokens are verified with, for everybody. */
  publishedKeys(): readonly PublicJwk[];
  readonly passwords: PasswordHasher;
  /** Counts attempts per login; none when there is no such limit. */
  readonly loginAttempts: RateLimit | undefined;
  readonly revocations: Revocations;
  readonly apiKeys: ApiKeyCheck;
  readonly accessTokenTtlMs: number;
  readonly sessionTtlMs: number;
  /** For how long others may keep the published keys. */
  readonly keysMaxAgeSeconds: number;
}
