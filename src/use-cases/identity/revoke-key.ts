import { DomainError } from "../../base/errors.ts";
import { revokeApiKey, type ApiKeyRecord } from "../../store/identity/api-keys.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";

/**
 * Ends an API key with its secrets and tokens: here at once, in other processes within `BELIEVED_MS`.
 * Safe to retry: the first moment stays. Throws: API_KEY_NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function revokeKey(
  { db, identity }: { readonly db: Db; readonly identity: Pick<Identity, "apiKeys"> },
  input: { readonly keyId: string; readonly reason: string; readonly actor: string; readonly correlationId: string },
): Promise<ApiKeyRecord> {
  const key = await revokeApiKey(db, input);
  if (key === undefined) throw new DomainError("API_KEY_NOT_FOUND");
  identity.apiKeys.forget(input.keyId);
  return key;
}
