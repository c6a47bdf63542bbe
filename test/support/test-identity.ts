import { createPasswordHasher } from "../../src/adapters/tokens/password-hash.ts";
import type { ApiKeyCheck } from "../../src/use-cases/identity/api-key-check.ts";
import type { Identity } from "../../src/use-cases/identity/identity.ts";

/** No API key is good. */
export const NO_API_KEYS: ApiKeyCheck = { verify: async () => undefined, recall: () => undefined, forget: () => {}, used: () => {} };

/** Identity for tests of other parts: registering and logging in work, but no route accepts the tokens. */
export function createTestIdentity(): Identity {
  return {
    issueAccessToken: async () => ({ token: "not-a-token", expiresAtMs: Date.now() + 900_000 }),
    publishedKeys: () => [],
    passwords: createPasswordHasher(),
    loginAttempts: undefined,
    revocations: { isRevoked: async () => false, announce: async () => {} },
    apiKeys: NO_API_KEYS,
    accessTokenTtlMs: 900_000,
    sessionTtlMs: 86_400_000,
    keysMaxAgeSeconds: 300,
  };
}
