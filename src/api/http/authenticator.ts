import type { TokenVerifier } from "../../adapters/tokens/access-tokens.ts";
import { DomainError } from "../../base/errors.ts";
import type { Revocations } from "../../use-cases/identity/revocations.ts";
import type { Authenticator } from "./guard.ts";

// One token and nothing else: two headers come joined by a comma, which no token has.
const BEARER = /^Bearer +([\w.~+/-]+=*) *$/i;

/** Takes access tokens of `Authorization: Bearer`. Why one is refused stands in the error's details, for the log alone. */
export function createAuthenticator(deps: { readonly verifier: TokenVerifier; readonly revocations: Revocations }): Authenticator {
  return {
    async authenticate(authorization) {
      if (authorization === undefined) throw refusal("no token");
      const token = BEARER.exec(authorization)?.[1];
      if (token === undefined) throw refusal("header");
      const verified = await deps.verifier.verify(token);
      if (await deps.revocations.isRevoked(verified)) throw refusal("revoked");
      const { id, subject, roles, sessionId, expiresAtMs } = verified;
      return { subject, roles, token: { id, expiresAtMs, sessionId } };
    },
  };
}

function refusal(reason: string): DomainError {
  return new DomainError("UNAUTHENTICATED", undefined, { reason });
}
