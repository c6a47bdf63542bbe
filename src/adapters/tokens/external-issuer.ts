import { createRemoteJWKSet, customFetch, errors, type FetchImplementation, type JWTVerifyGetKey } from "jose";
import { DomainError, messageOf } from "../../base/errors.ts";
import type { Role } from "../../contract/identity.ts";
import type { Log } from "../log.ts";

/** An issuer outside of Saldo whose tokens are accepted. */
export interface ExternalIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly rolesClaim: string;
  /** The role of a token that has no such claim at all. */
  readonly roleWithoutClaim: Role;
  /** Throws: UNAVAILABLE when the key list cannot be had; the library's error when it has no such key. */
  readonly findKey: JWTVerifyGetKey;
}

/** Within this time after a fetch an unknown key causes no other one. */
const COOLDOWN_MS = 30_000;
const CACHE_MAX_AGE_MS = 600_000;
const FETCH_TIMEOUT_MS = 3_000;
/** After a failed fetch the next one waits this long, so that an issuer that is away is not asked by every request. */
const RETRY_AFTER_MS = 1_000;

/** The issuer whose keys are at `jwksUrl`. That address is the only one ever asked, whatever a token names, and no redirect is followed. */
export function createExternalIssuer(options: {
  readonly jwksUrl: string;
  readonly issuer: string;
  readonly audience: string;
  readonly rolesClaim: string;
  readonly roleWithoutClaim: Role;
  readonly log: Log;
  readonly now?: () => number;
}): ExternalIssuer {
  const { jwksUrl, log, now = Date.now, ...names } = options;
  let failedAtMs = -Infinity;
  // Only a fetch that succeeded starts the library's cooldown: without this, each request would ask an issuer that is away.
  const fetchUnlessJustFailed: FetchImplementation = async (url, init) => {
    if (now() < failedAtMs + RETRY_AFTER_MS) throw new Error("it failed a moment ago");
    try {
      const response = await fetch(url, init);
      if (response.status !== 200) throw new Error(`it answered ${response.status}`);
      return response;
    } catch (error) {
      failedAtMs = now();
      log.warn({ event: "jwks.away", reason: messageOf(error) }, "the keys of the external issuer cannot be had");
      throw error;
    }
  };
  const keySet = createRemoteJWKSet(new URL(jwksUrl), {
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: CACHE_MAX_AGE_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
    [customFetch]: fetchUnlessJustFailed,
  });
  return {
    ...names,
    findKey: async (header, token) => {
      try {
        return await keySet(header, token);
      } catch (error) {
        // These say something about the token; everything else says that the list could not be read.
        if ([errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported].some((known) => error instanceof known))
          throw error;
        // Also when something was fetched that is no key list.
        if (now() >= failedAtMs + RETRY_AFTER_MS) failedAtMs = now();
        throw new DomainError("UNAVAILABLE", "the keys of the external issuer cannot be had", {}, error);
      }
    },
  };
}
