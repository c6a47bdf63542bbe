import type { RememberingVerifier } from "../../adapters/tokens/token-memory.ts";
import { API_KEY_PREFIX } from "../../base/api-key-form.ts";
import { DomainError } from "../../base/errors.ts";
import { KEY_ROLES, type Principal, type VerifiedToken } from "../../contract/identity.ts";
import { readApiKey } from "../../domain/identity/api-key.ts";
import type { ApiKeyCheck, VerifiedKey } from "../../use-cases/identity/api-key-check.ts";
import type { Revocations } from "../../use-cases/identity/revocations.ts";
import type { Authenticator } from "./guard.ts";

// Exactly one token: two Authorization headers arrive joined by a comma, which no token contains.
const BEARER = /^Bearer +([\w.~+/-]+=*) *$/i;

/** Accepts access tokens and API keys in `Authorization: Bearer`. The reason of a refusal stands in the error's details, for the log alone. */
export function createAuthenticator(deps: {
  readonly verifier: RememberingVerifier;
  readonly revocations: Revocations;
  readonly apiKeys: ApiKeyCheck;
}): Authenticator {
  const { verifier, revocations, apiKeys } = deps;
  const unlessRevoked = async (verified: VerifiedToken): Promise<Principal> => {
    if (await revocations.isRevoked(verified)) throw refusal("revoked");
    if (verified.client !== undefined) apiKeys.used(verified.client.keyId);
    return principalOf(verified);
  };
  const authenticateKey = async (text: string): Promise<Principal> => {
    const parts = readApiKey(text);
    if (parts === undefined) throw refusal("form of the API key");
    const key = await apiKeys.verify(parts);
    if (key === undefined) throw refusal("API key");
    apiKeys.used(key.keyId);
    return principalOfKey(key);
  };
  return {
    async authenticate(authorization) {
      if (authorization === undefined) throw refusal("no token");
      const token = BEARER.exec(authorization)?.[1];
      if (token === undefined) throw refusal("header");
      return await (token.startsWith(API_KEY_PREFIX) ? authenticateKey(token) : unlessRevoked(await verifier.verify(token)));
    },
    recall(authorization) {
      const token = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
      if (token === undefined) return undefined;
      if (token.startsWith(API_KEY_PREFIX)) {
        const parts = readApiKey(token);
        const key = parts && apiKeys.recall(parts);
        return key === undefined ? undefined : { principal: principalOfKey(key), confirm: () => authenticateKey(token) };
      }
      const verified = verifier.recall(token);
      return verified === undefined ? undefined : { principal: principalOf(verified), confirm: () => unlessRevoked(verified) };
    },
  };
}

function principalOf({ id, subject, roles, sessionId, client, expiresAtMs }: VerifiedToken): Principal {
  return {
    subject,
    roles,
    token: { id, expiresAtMs, sessionId },
    ...(client === undefined ? {} : { key: { keyId: client.keyId, scopes: client.scopes } }),
  };
}

function principalOfKey({ subject, keyId, scopes }: VerifiedKey): Principal {
  return { subject, roles: KEY_ROLES, key: { keyId, scopes } };
}

function refusal(reason: string): DomainError {
  return new DomainError("UNAUTHENTICATED", undefined, { reason });
}
