import { hash as digest } from "node:crypto";
import { dropOldest } from "../../base/drop-oldest.ts";
import type { VerifiedToken } from "../../contract/identity.ts";
import type { TokenVerifier } from "./access-tokens.ts";
import { CLOCK_TOLERANCE_MS, type SigningKeys } from "./signing-keys.ts";

const MAX_TOKENS = 20_000;
/** A token of the external issuer is verified again after this time, so that a key it withdrew is not trusted for longer. */
const EXTERNAL_TRUST_MS = 600_000;

/** A verifier that knows the tokens it verified. */
export interface RememberingVerifier extends TokenVerifier {
  /** What a token says that was verified before and still holds, without any other work than a hash; undefined for every other token. */
  recall(token: string): VerifiedToken | undefined;
}

/**
 * Remembers tokens that were verified until they end, so that the signature is paid once and not with each request. Tokens
 * are known by their SHA-256, and one whose key was retired is refused at once. Refused tokens are not remembered: nobody can
 * push the good ones out with bad ones.
 */
export function rememberVerified(verifier: TokenVerifier, keys: SigningKeys, now: () => number = Date.now): RememberingVerifier {
  const memory = new Map<string, { readonly verified: VerifiedToken; readonly untilMs: number }>();
  const recall = (hash: string): VerifiedToken | undefined => {
    const known = memory.get(hash);
    if (known === undefined) return undefined;
    if (isTrusted(known, keys, now())) return known.verified;
    memory.delete(hash);
    return undefined;
  };
  return {
    recall: (token) => recall(hashOfToken(token)),
    async verify(token) {
      const hash = hashOfToken(token);
      const known = recall(hash);
      if (known !== undefined) return known;
      const verified = await verifier.verify(token);
      const endsAtMs = verified.expiresAtMs + CLOCK_TOLERANCE_MS;
      memory.set(hash, { verified, untilMs: verified.keyId === undefined ? Math.min(endsAtMs, now() + EXTERNAL_TRUST_MS) : endsAtMs });
      dropOldest(memory, MAX_TOKENS);
      return verified;
    },
  };
}

function hashOfToken(token: string): string {
  return digest("sha256", token, "base64");
}

function isTrusted({ verified, untilMs }: { verified: VerifiedToken; untilMs: number }, keys: SigningKeys, nowMs: number): boolean {
  return nowMs < untilMs && (verified.keyId === undefined || keys.find(verified.keyId) !== undefined);
}
