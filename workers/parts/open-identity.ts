import { resolve } from "node:path";
import type { Log } from "../../src/adapters/log.ts";
import { createRateLimit } from "../../src/adapters/redis/rate-limits.ts";
import type { RedisLink } from "../../src/adapters/redis/redis.ts";
import { createTokenBlacklist } from "../../src/adapters/redis/token-blacklist.ts";
import { createTokenVerifier, issueToken } from "../../src/adapters/tokens/access-tokens.ts";
import { createExternalIssuer, type ExternalIssuer } from "../../src/adapters/tokens/external-issuer.ts";
import { createPasswordHasher } from "../../src/adapters/tokens/password-hash.ts";
import { ensureSigningKey, JWKS_MAX_AGE_MS, openSigningKeys } from "../../src/adapters/tokens/signing-keys.ts";
import { rememberVerified } from "../../src/adapters/tokens/token-memory.ts";
import { createAuthenticator } from "../../src/api/http/authenticator.ts";
import type { Authenticator } from "../../src/api/http/guard.ts";
import type { Config } from "../../src/config.ts";
import { LOCAL_PRINCIPAL } from "../../src/contract/identity.ts";
import { createApiKeyReader, noteApiKeyUse } from "../../src/store/identity/api-keys.ts";
import { createRevocationReader } from "../../src/store/identity/revocations.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { createApiKeyCheck } from "../../src/use-cases/identity/api-key-check.ts";
import type { Identity } from "../../src/use-cases/identity/identity.ts";
import { createRevocations } from "../../src/use-cases/identity/revocations.ts";

/** The authenticator of requests, and the parts of logging in. */
export interface OpenIdentity {
  readonly authenticator: Authenticator;
  readonly identity: Identity;
  close(): Promise<void>;
}

const LOGIN_WINDOW_MS = 900_000;
/** Every request waits for this database, so its deadline is shorter than that of other databases. */
const AUTH_DEADLINE_MS = 2_000;
const AUTH_LANES = 2;

/** The folder of the signing keys. */
export function keysDirOf(config: Pick<Config, "AUTH_KEYS_DIR" | "DATA_DIR">): string {
  return resolve(config.AUTH_KEYS_DIR ?? `${config.DATA_DIR}/keys`);
}

/**
 * Opens the identity parts by the configuration. Outside of production a folder without signing keys gets its first key.
 * Throws: KeyFolderError.
 */
export async function openIdentity(parts: {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly redis: RedisLink;
  readonly log: Log;
}): Promise<OpenIdentity> {
  const { config, databaseUrl, redis, log } = parts;
  const directory = keysDirOf(config);
  if (config.NODE_ENV !== "production" || config.AUTH_MODE === "off") await ensureSigningKey(directory);
  const keys = await openSigningKeys({ directory, log });
  const names = { issuer: config.AUTH_ISSUER, audience: config.AUTH_AUDIENCE };
  // Lanes of their own: no request waits for its authentication behind long reads of other requests.
  const deadlineMs = Math.min(AUTH_DEADLINE_MS, config.DATABASE_DEADLINE_MS);
  const database = createDatabase({ url: databaseUrl, name: "saldo-api-auth", laneCount: AUTH_LANES, deadlineMs });
  const revocations = createRevocations({ read: createRevocationReader(database.db), blacklist: createTokenBlacklist(redis) });
  const apiKeys = createApiKeyCheck({ read: createApiKeyReader(database.db), noteUse: (keyId) => noteApiKeyUse(database.db, keyId) });
  const verifier = rememberVerified(createTokenVerifier({ keys, names, external: externalIssuerOf(config, log) }), keys);
  return {
    authenticator:
      config.AUTH_MODE === "off"
        ? {
            authenticate: async () => LOCAL_PRINCIPAL,
            recall: () => ({ principal: LOCAL_PRINCIPAL, confirm: async () => LOCAL_PRINCIPAL }),
          }
        : createAuthenticator({ verifier, revocations, apiKeys }),
    identity: {
      issueAccessToken: ({ endsAtMs = Infinity, ...claims }) =>
        issueToken(keys, names, { ...claims, ttlMs: Math.min(config.ACCESS_TOKEN_TTL_MS, endsAtMs - Date.now()) }),
      publishedKeys: () => keys.published(),
      passwords: createPasswordHasher(),
      loginAttempts: createRateLimit({
        redis,
        prefix: "rate:login-name",
        quota: config.LOGIN_FAILURES_PER_15_MINUTES,
        windowMs: LOGIN_WINDOW_MS,
      }),
      revocations,
      apiKeys,
      accessTokenTtlMs: config.ACCESS_TOKEN_TTL_MS,
      sessionTtlMs: config.SESSION_TTL_MS,
      keysMaxAgeSeconds: JWKS_MAX_AGE_MS / 1_000,
    },
    async close() {
      await Promise.all([keys.close(), database.close()]);
    },
  };
}

function externalIssuerOf(config: Config, log: Log): ExternalIssuer | undefined {
  const { AUTH_JWKS_URL: jwksUrl, AUTH_EXTERNAL_ISSUER: issuer, AUTH_EXTERNAL_AUDIENCE: audience } = config;
  if (jwksUrl === undefined || issuer === undefined || audience === undefined) return undefined;
  return createExternalIssuer({
    jwksUrl,
    issuer,
    audience,
    rolesClaim: config.AUTH_ROLES_CLAIM,
    roleWithoutClaim: config.AUTH_EXTERNAL_ROLE,
    log,
  });
}
