import { randomUUID } from "node:crypto";
import { requestKey } from "../../contract/ids.ts";
import type { ApiContext } from "../api-env.ts";
import { readIdempotencyKey } from "../http/idempotency.ts";

/**
 * The permanent key of a request of the earlier interface: made of its Idempotency-Key where it has one, else of a random id, as to the
 * earlier service every request was a new one. Throws: INVALID_IDEMPOTENCY_KEY.
 */
export function legacyRequestKey(context: ApiContext, route: string): { readonly key: string; readonly isRepeatable: boolean } {
  if (context.req.header("idempotency-key") !== undefined) return { key: readIdempotencyKey(context, route).key, isRepeatable: true };
  return { key: requestKey({ caller: context.get("caller"), route, idempotencyKey: `once:${randomUUID()}` }), isRepeatable: false };
}
