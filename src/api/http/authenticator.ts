import type { RememberingVerifier } from "../../adapters/tokens/token-memory.ts";
import { DomainError } from "../../base/errors.ts";
import type { Principal, VerifiedToken } from "../../contract/identity.ts";
import type { Revocations } from "../../use-cases/identity/revocations.ts";
import type { Authenticator } from "./guard.ts";

// Exactly one token: two Authorization headers arrive joined by a comma, which no token contains.
const BEARER = /^Bearer +([\w.~+/-]+=*) *$/i;

/** Accepts the access tokens of `Authorization: Bearer`. The reason of a refusal stands in the error's details, for the log alone. */
export function createAuthenticator(deps: { readonly verifier: RememberingVerifier; readonly revocations: Revocations }): Authenticator {
  const unlessRevoked = async (verified: VerifiedToken): Promise<Principal> => {
    if (await deps.revocations.isRevoked(verified)) throw refusal("revoked");
    return principalOf(verified);
  };
  return {
    async authenticate(authorization) {
      if (authorization === undefined) throw refusal("no token");
      const token = BEARER.exec(authorization)?.[1];
      if (token === undefined) throw refusal("header");
      return await unlessRevoked(await deps.verifier.verify(token));
    },
    recall(authorization) {
      const token = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
      const verified = token === undefined ? undefined : deps.verifier.recall(token);
      return verified === undefined ? undefined : { principal: principalOf(verified), confirm: () => unlessRevoked(verified) };
    },
  };
}

function principalOf({ id, subject, roles, sessionId, expiresAtMs }: VerifiedToken): Principal {
  return { subject, roles, token: { id, expiresAtMs, sessionId } };
}

function refusal(reason: string): DomainError {
  return new DomainError("UNAUTHENTICATED", undefined, { reason });
}
