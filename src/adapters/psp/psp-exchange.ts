import { z } from "zod";
import { retryAfterMs } from "../../base/retry-after.ts";
import { PspFailure } from "./psp-failure.ts";

const text = z.string().min(1).max(255);

const paymentSchema = z.object({
  key: text,
  kind: z.enum(["authorise", "capture", "cancel", "refund"]),
  status: z.enum(["approved", "declined"]),
  // A code and never words: what a provider writes there ends in histories and answers.
  reason: z
    .string()
    .regex(/^[a-z0-9_]{1,64}$/)
    .catch("declined")
    .optional(),
  reference: text,
  amountMinor: z.string().regex(/^\d{1,18}$/),
  currency: text,
});

/** A step as the provider has it. */
export type ProviderPayment = z.infer<typeof paymentSchema>;

const tokenSchema = z.object({ token: text, last4: z.string().regex(/^\d{4}$/), brand: text });
const refusalSchema = z.object({ error: z.object({ code: z.string(), message: z.string(), pointer: z.string().optional() }) });

/** A definite answer of the provider; everything else is a PspFailure. */
export type Reply<Value> =
  | { readonly type: "value"; readonly value: Value }
  | { readonly type: "refused"; readonly status: number; readonly code: string; readonly pointer: string | undefined };

/** One request each, without retries. Throws: PspFailure when no definite answer came; it names no more than a status or a system's code. */
export interface PspExchange {
  pay(kind: string, key: string, body: object): Promise<Reply<ProviderPayment>>;
  lookUp(key: string): Promise<Reply<ProviderPayment>>;
  tokenise(card: object): Promise<Reply<z.infer<typeof tokenSchema>>>;
}

/** Speaks to the provider at `url` and nowhere else: redirects are not followed. */
export function createPspExchange(options: { readonly url: string; readonly apiKey: string; readonly timeoutMs: number }): PspExchange {
  const send = async <Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    init: { method: "GET" } | { method: "POST"; body: object; key?: string },
  ): Promise<Reply<z.infer<Schema>>> => {
    const answer = await read(new URL(path, options.url), {
      method: init.method,
      redirect: "manual",
      signal: AbortSignal.timeout(options.timeoutMs),
      headers: {
        authorization: `Bearer ${options.apiKey}`,
        ...("key" in init ? { "idempotency-key": init.key } : {}),
        ...("body" in init ? { "content-type": "application/json" } : {}),
      },
      ...("body" in init ? { body: JSON.stringify(init.body) } : {}),
    });
    if (answer.status >= 200 && answer.status < 300) {
      const value = schema.safeParse(answer.body);
      if (!value.success) throw new PspFailure(`the answer ${answer.status} does not fit its schema`);
      return { type: "value", value: value.data };
    }
    return refusalOf(answer);
  };
  return {
    pay: (kind, key, body) => send(`/v1/payments/${kind}`, paymentSchema, { method: "POST", body, key }),
    lookUp: (key) => send(`/v1/payments/${encodeURIComponent(key)}`, paymentSchema, { method: "GET" }),
    tokenise: (card) => send("/v1/tokens", tokenSchema, { method: "POST", body: card }),
  };
}

interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfter: string | null;
}

async function read(url: URL, init: RequestInit): Promise<HttpAnswer> {
  try {
    const response = await fetch(url, init);
    const words = await response.text();
    return { status: response.status, body: parsed(words), retryAfter: response.headers.get("retry-after") };
  } catch (error) {
    throw new PspFailure(`no answer: ${reasonOf(error)}`);
  }
}

function parsed(words: string): unknown {
  try {
    return JSON.parse(words);
  } catch {
    return undefined;
  }
}

function refusalOf({ status, body, retryAfter }: HttpAnswer): Reply<never> {
  if (status === 429) {
    const waitMs = retryAfterMs(retryAfter, Date.now()) ?? 0;
    throw new PspFailure("answered 429", waitMs > 0 ? { retryAfterMs: Math.min(waitMs, 3_600_000) } : {});
  }
  const refusal = refusalSchema.safeParse(body);
  // A 4xx that is not in the provider's own form comes from something else that stands at this address.
  if (status >= 400 && status < 500 && status !== 401 && status !== 403 && status !== 408 && refusal.success)
    return { type: "refused", status, code: refusal.data.error.code, pointer: refusal.data.error.pointer };
  throw new PspFailure(`answered ${status}`, { hopeless: status < 500 && status !== 408 });
}

// Only a name or a code: the words of an error may repeat what was sent.
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause.code;
  return cause instanceof Error ? cause.name : "unknown";
}
