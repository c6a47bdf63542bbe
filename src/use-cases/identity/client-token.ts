import { KEY_ROLES } from "../../contract/identity.ts";
import { scopesOf, type Scope } from "../../contract/scopes.ts";
import { readApiKey, writeApiKey } from "../../domain/identity/api-key.ts";
import type { Identity } from "./identity.ts";

/** A token of client credentials, or the error of RFC 6749, section 5.2, that the client is told. */
export type ClientToken =
  | { readonly outcome: "issued"; readonly token: string; readonly expiresInSeconds: number; readonly scopes: readonly Scope[] }
  | { readonly outcome: "invalid_client" | "invalid_scope" };

/** A token that would end sooner is of no use to anybody. */
const SHORTEST_MS = 1_000;

/**
 * Signs an access token for an API key, by its id and secret: with the role and the scopes of the key, or with those of them that `scope` names (words
 * with spaces between). It ends with the key and with the secret that was shown. Safe to retry: each call makes a token of its own. Throws: UNAVAILABLE.
 */
export async function issueClientToken(
  identity: Pick<Identity, "apiKeys" | "issueAccessToken">,
  input: { readonly clientId: string; readonly clientSecret: string; readonly scope: string | undefined },
): Promise<ClientToken> {
  const parts = readApiKey(writeApiKey({ keyId: input.clientId, secret: input.clientSecret }));
  const key = parts && (await identity.apiKeys.verify(parts));
  if (key === undefined || key.endsAtMs - Date.now() < SHORTEST_MS) return { outcome: "invalid_client" };
  const scopes = askedScopes(key.scopes, input.scope);
  if (scopes === undefined) return { outcome: "invalid_scope" };
  identity.apiKeys.used(key.keyId);
  const { keyId, generation, subject, endsAtMs } = key;
  const { token, expiresAtMs } = await identity.issueAccessToken({
    subject,
    roles: KEY_ROLES,
    client: { keyId, generation, scopes },
    endsAtMs,
  });
  return { outcome: "issued", token, expiresInSeconds: Math.max(1, Math.floor((expiresAtMs - Date.now()) / 1_000)), scopes };
}

// A word that the key does not have in full is refused rather than narrowed: the client would find out at its first request only.
function askedScopes(ofKey: readonly Scope[], scope = ""): readonly Scope[] | undefined {
  const words = scope.split(" ").filter((word) => word !== "");
  if (words.length === 0) return ofKey;
  const asked = words.map(scopesOf);
  if (asked.some((scopes) => scopes.length === 0 || !scopes.every((one) => ofKey.includes(one)))) return undefined;
  return ofKey.filter((one) => asked.some((scopes) => scopes.includes(one)));
}
