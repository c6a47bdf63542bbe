import { z } from "zod";
import { PspFailure } from "../psp-failure.ts";

/** A definite no of Stripe's. `decline` is the reason of a card's bank, a code and never words. */
export interface StripeRefusal {
  readonly type: "refused";
  readonly status: number;
  readonly code: string;
  readonly decline: string | undefined;
}

const errorSchema = z.object({
  type: z.string(),
  statusCode: z.number().optional(),
  code: z.string().optional(),
  decline_code: z.string().optional(),
  headers: z.record(z.string(), z.unknown()).optional(),
});

const MAX_WAIT_MS = 3_600_000;
/** Of a request that met another one of the same object or key: nothing was decided. */
const PASSING_CODES: ReadonlySet<string> = new Set(["lock_timeout", "idempotency_key_in_use", "rate_limit"]);

/** A code as it may stand in histories and answers. */
export function stripeCode(code: string | null | undefined): string | undefined {
  return code !== null && code !== undefined && /^[a-z0-9_]{1,64}$/.test(code) ? code : undefined;
}

/**
 * What an error of a call to Stripe means: a refusal is an answer, everything else leaves the outcome unknown.
 * Throws: PspFailure, whose words are a status and a code: Stripe's own words may repeat what was sent.
 */
export function readStripeError(error: unknown): StripeRefusal {
  const known = errorSchema.safeParse(error);
  if (!known.success) throw new PspFailure("no answer: not an error of Stripe's library");
  const { type, statusCode: status, headers, ...said } = known.data;
  const code = stripeCode(said.code) ?? "none";
  if (status === undefined || type === "StripeConnectionError") throw new PspFailure(`no answer: ${type}`);
  const words = `answered ${status} ${code}`;
  if (status === 429 || type === "StripeRateLimitError") {
    const retryAfterMs = Math.min(Number(headers?.["retry-after"]) * 1_000, MAX_WAIT_MS);
    throw new PspFailure(words, retryAfterMs > 0 ? { retryAfterMs } : {});
  }
  // The key is Stripe's for other content, or in use: the object's own state says what became of it.
  if (type === "StripeIdempotencyError") throw new PspFailure(words, { hopeless: status === 400 });
  if (PASSING_CODES.has(code) || status === 409 || status === 408) throw new PspFailure(words);
  // A wrong key or right: trying again at once cannot help, and no order is to end by it.
  if (status === 401 || status === 403) throw new PspFailure(words, { hopeless: true });
  if (type === "StripeCardError" || status === 402)
    return { type: "refused", status, code, decline: stripeCode(said.decline_code) ?? stripeCode(said.code) ?? "declined" };
  if (type === "StripeInvalidRequestError" && status >= 400 && status < 500) return { type: "refused", status, code, decline: undefined };
  throw new PspFailure(words);
}
