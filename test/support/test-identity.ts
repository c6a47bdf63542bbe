import { createPasswordHasher } from "../../src/adapters/tokens/password-hash.ts";
import type { Identity } from "../../src/use-cases/identity/identity.ts";

/** Identity for tests of other parts: registering and logging in work, but no route accepts the tokens. */
export function createTestIdentity(): Identity {
  return {
    issueAccessToken: async () => ({ token: "not-a-token", expiresAtMs: Date.now() + 900_000 }),
    publishedKeys: () => [],
    passwords: createPasswordHasher(),
    loginAttempts: undefined,
    revocations: { isRevoked: async () => false, announce: async () => {} },
    accessTokenTtlMs: 900_000,
    sessionTtlMs: 86_400_000,
    keysMaxAgeSeconds: 300,
  };
}
