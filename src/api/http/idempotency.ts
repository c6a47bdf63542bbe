import { z } from "@hono/zod-openapi";
import { maskApiKeys } from "../../base/api-key-form.ts";
import { DomainError } from "../../base/errors.ts";
import { uuidOf } from "../../base/hash.ts";
import { requestKey } from "../../contract/ids.ts";
import { looksLikeCardNumber } from "../../domain/cards/card.ts";
import type { ApiContext, RequestIdentity } from "../api-env.ts";

const KEY = /^[\x21-\x7e]{1,255}$/;

/** How the header stands in the OpenAPI document. Its check is `readIdempotencyKey`, which has codes of its own. */
export const idempotencyHeader = z.object({
  "Idempotency-Key": z.string().min(1).max(255).openapi({
    description: "1 to 255 visible ASCII characters. A repeat with the same key and content is the same request: nothing happens twice.",
  }),
});

/**
 * Reads the Idempotency-Key for a route. Equal keys of one caller and route give equal identities.
 * Throws: IDEMPOTENCY_KEY_REQUIRED, INVALID_IDEMPOTENCY_KEY, CARD_DATA_REFUSED.
 */
export function readIdempotencyKey(context: ApiContext, route: string): RequestIdentity {
  const read = context.get("requestIdentity");
  if (read?.route === route) return read.identity;
  const idempotencyKey = context.req.header("idempotency-key");
  if (idempotencyKey === undefined) throw new DomainError("IDEMPOTENCY_KEY_REQUIRED");
  // The Idempotency-Key is kept for ever, as a part of the operation's key.
  if (!KEY.test(idempotencyKey) || maskApiKeys(idempotencyKey) !== idempotencyKey) throw new DomainError("INVALID_IDEMPOTENCY_KEY");
  if (looksLikeCardNumber(idempotencyKey)) throw new DomainError("CARD_DATA_REFUSED", undefined, { pointer: "Idempotency-Key" });
  const key = requestKey({ caller: context.get("caller"), route, idempotencyKey });
  const identity = {
    key,
    get id() {
      return uuidOf(key);
    },
  };
  context.set("requestIdentity", { route, identity });
  return identity;
}

/** As `readIdempotencyKey`, for routes where the key may be left out. Throws: INVALID_IDEMPOTENCY_KEY. */
export function readOptionalIdempotencyKey(context: ApiContext, route: string): RequestIdentity | undefined {
  return context.req.header("idempotency-key") === undefined ? undefined : readIdempotencyKey(context, route);
}

/** Has the answer of this request not kept under its key: a dry run changes nothing, so its key is still free. */
export function keepNoAnswer(context: ApiContext): void {
  context.set("answerNotKept", true);
}

/** Marks an answer as the repeat of an earlier one. */
export function markReplayed(context: ApiContext): void {
  context.header("idempotency-replayed", "true");
}
