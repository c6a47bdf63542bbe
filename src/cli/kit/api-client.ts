import { z } from "zod";
import { causesOf } from "../../base/errors.ts";

/** An answer of the API as it came: `body` is the parsed JSON, or the text when it is not JSON. Header names are in lower case. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

/** `idempotencyKey` makes a repeat the same request; `prefer` is the Prefer header, such as `wait=5`. */
export interface PostOptions {
  readonly idempotencyKey?: string;
  readonly prefer?: string;
}

export interface ApiClient {
  /** Reads a path such as `/api/v1/balances/anna`. Throws: ApiUnreachable. */
  get(path: string): Promise<ApiAnswer>;
  /** Sends JSON. Safe to retry with the same `idempotencyKey`. Throws: ApiUnreachable. */
  post(path: string, body: unknown, options?: PostOptions): Promise<ApiAnswer>;
}

/** The API did not answer: nothing listens at the address, or the deadline passed. */
export class ApiUnreachable extends Error {
  override readonly name = "ApiUnreachable";
}

/** The API wants a token and was given none, or one it does not take. */
export class NotAuthenticated extends Error {
  override readonly name = "NotAuthenticated";
}

/** An answer that is not the one expected, in a sentence with its code and correlation id. */
export class UnexpectedAnswer extends Error {
  override readonly name = "UnexpectedAnswer";
}

const DEFAULT_DEADLINE_MS = 60_000;

/**
 * A client of the HTTP API at `baseUrl`, such as `http://127.0.0.1:8080`, which asks `token` for each call's token. `deadlineMs`
 * bounds each call. Answers of any status but 401 are values. Throws: NotAuthenticated.
 */
export function createApiClient(options: {
  readonly baseUrl: string;
  readonly token?: () => Promise<string | undefined>;
  readonly deadlineMs?: number;
}): ApiClient {
  const { baseUrl, token = async () => undefined, deadlineMs = DEFAULT_DEADLINE_MS } = options;
  const exchange = async (path: string, init: RequestInit): Promise<ApiAnswer> => {
    try {
      const response = await fetch(new URL(path, baseUrl), { ...init, signal: AbortSignal.timeout(deadlineMs) });
      return {
        status: response.status,
        body: readBody(await response.text(), response.headers),
        headers: Object.fromEntries(response.headers),
      };
    } catch (error) {
      throw new ApiUnreachable(`the API at ${baseUrl} ${whyUnreachable(error)}`, { cause: error });
    }
  };
  const send = async (path: string, init: { method: string; headers?: Record<string, string>; body?: string }): Promise<ApiAnswer> => {
    const bearer = await token();
    const answer = await exchange(path, {
      ...init,
      headers: { ...init.headers, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) },
    });
    if (answer.status !== 401) return answer;
    throw new NotAuthenticated(
      `the API at ${baseUrl} ${bearer === undefined ? "needs a token" : "does not take the token"}: set SALDO_TOKEN to one, or run this where its keys are (\`npm run token\`)`,
    );
  };
  return {
    get: (path) => send(path, { method: "GET" }),
    post: (path, body, { idempotencyKey, prefer } = {}) =>
      send(path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: {
          "content-type": "application/json",
          ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
          ...(prefer === undefined ? {} : { prefer }),
        },
      }),
  };
}

/**
 * The answer's body as the schema reads it, when the status is one of `statuses`.
 * Throws: UnexpectedAnswer with what the API said instead.
 */
export function readAnswer<Schema extends z.ZodType>(answer: ApiAnswer, statuses: readonly number[], schema: Schema): z.infer<Schema> {
  const parsed = schema.safeParse(answer.body);
  if (statuses.includes(answer.status) && parsed.success) return parsed.data;
  throw new UnexpectedAnswer(describeAnswer(answer));
}

const problem = z.object({ code: z.string(), detail: z.string().optional(), correlationId: z.string().optional() });

/** What the API said, in one line for a person. */
export function describeAnswer(answer: ApiAnswer): string {
  const parsed = problem.safeParse(answer.body);
  if (!parsed.success) return `the API answered ${answer.status} in a form that was not expected`;
  const { code, detail, correlationId } = parsed.data;
  return `the API answered ${answer.status} ${code}${detail === undefined ? "" : `: ${detail}`}${correlationId === undefined ? "" : ` (correlation id ${correlationId})`}`;
}

// What OpenSSL says of a certificate that no authority stands behind which this process knows.
const NOT_TRUSTED = /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_)/;

function whyUnreachable(error: unknown): string {
  for (const cause of causesOf(error))
    if ("code" in cause && cause.code === "ERR_TLS_CERT_ALTNAME_INVALID")
      return `has a certificate for another name (${cause.message}): --api takes the API's address by a name of its certificate`;
    else if ("code" in cause && NOT_TRUSTED.test(String(cause.code)))
      return `has a certificate that is not trusted (${cause.message}): NODE_EXTRA_CA_CERTS=FILE names the authority behind it`;
  return "does not answer";
}

function readBody(text: string, headers: Headers): unknown {
  if (!/json/.test(headers.get("content-type") ?? "")) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
