import { setTimeout as sleep } from "node:timers/promises";
import type { RouteConfig } from "@hono/zod-openapi";
import { isErrorCode, type ErrorCode } from "../../base/errors.ts";
import { retryAfterMs } from "../../base/retry-after.ts";
import type { Problem } from "../http/problem.ts";
import { CLIENT_ROUTES } from "./client-routes.ts";
import type { AnswerOf, CallOf } from "./client-types.ts";

/** A problem that the API answered with. Its `code` is one of the catalogue; docs/errors.md says what to do about each. */
export class SaldoError extends Error {
  override readonly name = "SaldoError";
  readonly status: number;
  readonly code: ErrorCode;
  readonly problem: Partial<Problem>;

  constructor(status: number, problem: Partial<Problem>) {
    super(`${problem.code ?? status}: ${problem.detail ?? "the API answered without a problem document"}`);
    this.status = status;
    this.code = isErrorCode(problem.code) ? problem.code : "INTERNAL";
    this.problem = problem;
  }
}

export interface ClientOptions {
  /** Such as `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  /** An access token, or a function that gives a fresh one for each call. */
  readonly token?: string | (() => string | Promise<string>);
  /** How often a call that may be repeated (a read, or one with an Idempotency-Key) is sent again after 429, 503 or no answer. */
  readonly retries?: number;
  /** A `Retry-After` of more than this, in milliseconds, is not waited for: the 429 or 503 is thrown at once. A minute by default. */
  readonly longestPauseMs?: number;
  /** How long one attempt may take, in milliseconds. */
  readonly timeoutMs?: number;
  readonly fetch?: typeof fetch;
}

const RETRIES = 3;
const TIMEOUT_MS = 30_000;
const PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 60_000;
const AGAIN = new Set([429, 503]);

/** Calls any route of the API, typed by the very schemas that check its requests. Throws: SaldoError; what `fetch` throws when there is no answer. */
export type ApiCaller = <Route extends RouteConfig>(route: Route, call: CallOf<Route>) => Promise<AnswerOf<Route>>;

/** A caller of the API at an address. It repeats only reads and calls with an Idempotency-Key, which have no second effect. */
export function createCaller(options: ClientOptions): ApiCaller {
  const { fetch: send = fetch, longestPauseMs = LONGEST_PAUSE_MS } = options;
  const attempt = async (route: RouteConfig, call: LooseCall): Promise<Response> => {
    const token = typeof options.token === "function" ? await options.token() : options.token;
    return send(new URL(addressOf(route.path, call), options.baseUrl), {
      method: route.method.toUpperCase(),
      headers: {
        ...call.headers,
        ...(call.body === undefined ? {} : { "content-type": "application/json" }),
        ...(call.idempotencyKey === undefined ? {} : { "idempotency-key": call.idempotencyKey }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
    });
  };
  return async <Route extends RouteConfig>(route: Route, call: CallOf<Route>) => {
    const loose = call as LooseCall;
    const repeatable = route.method === "get" || loose.idempotencyKey !== undefined;
    for (let left = repeatable ? (options.retries ?? RETRIES) : 0; ; left -= 1) {
      const response = await attempt(route, loose).catch((error: unknown) => {
        if (left <= 0) throw error;
        return undefined;
      });
      const pauseMs = pauseMsOf(response);
      if (response !== undefined && (!AGAIN.has(response.status) || left <= 0 || pauseMs > longestPauseMs))
        return (await read(response)) as AnswerOf<Route>;
      await response?.body?.cancel();
      await sleep(pauseMs);
    }
  };
}

type ClientRoutes = typeof CLIENT_ROUTES;

/** One function for each thing the API does. */
export type SaldoClient = {
  readonly [Name in keyof ClientRoutes]: (call: CallOf<ClientRoutes[Name]>) => Promise<AnswerOf<ClientRoutes[Name]>>;
};

/** A client of the API at an address. Throws: SaldoError; what `fetch` throws when there is no answer. */
export function createClient(options: ClientOptions): SaldoClient {
  const call = createCaller(options) as (route: RouteConfig, input: object) => Promise<unknown>;
  const entries = Object.entries(CLIENT_ROUTES).map(([name, route]) => [name, (input: object) => call(route, input)]);
  return Object.fromEntries(entries) as SaldoClient;
}

interface LooseCall {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly idempotencyKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function addressOf(path: string, { params = {}, query = {} }: LooseCall): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, String(value));
  return asked.size === 0 ? filled : `${filled}?${asked.toString()}`;
}

async function read(response: Response): Promise<{ status: number; body: unknown; headers: Headers }> {
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  const text = await response.text();
  const body: unknown = isJson ? JSON.parse(text) : text === "" ? undefined : text;
  if (!response.ok) throw new SaldoError(response.status, (isJson ? body : {}) as Partial<Problem>);
  return { status: response.status, body, headers: response.headers };
}

function pauseMsOf(response: Response | undefined): number {
  return Math.max(PAUSE_MS, retryAfterMs(response?.headers.get("retry-after"), Date.now()) ?? 0);
}
