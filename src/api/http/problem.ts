import { z } from "@hono/zod-openapi";
import { ERROR_CATALOGUE, type ErrorCode } from "../../base/errors.ts";
import { maskDigits } from "../../domain/cards/card.ts";
import { STATUSES } from "./statuses.ts";

/** One place in the request that is wrong: a JSON pointer into the body, or the name of a parameter. */
export interface ProblemError {
  readonly pointer: string;
  readonly message: string;
}

/** RFC 9457 problem details, as every error is answered. */
export const problemSchema = z
  .object({
    type: z.string().openapi({ example: "urn:saldo:error:INSUFFICIENT_FUNDS" }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string().openapi({ description: "The path that was asked." }),
    code: z.string().openapi({ example: "INSUFFICIENT_FUNDS", description: "What happened, for programs. The list is in docs/errors.md." }),
    correlationId: z.string(),
    errors: z
      .array(
        z.object({
          pointer: z.string().openapi({ description: "A JSON pointer into the body, or the parameter's name." }),
          message: z.string(),
        }),
      )
      .optional(),
    order: z
      .looseObject({})
      .optional()
      .openapi({ description: "After a request about all reservations of an order that went through for some only: `ReservationLines`." }),
  })
  .openapi("Problem");

export type Problem = z.infer<typeof problemSchema>;

export const PROBLEM_TYPE = "application/problem+json";

/** Retry-After of an outage, and of a request whose first copy still runs. */
const RETRY_AFTER_SECONDS = 1;

/** What every answer forbids a browser: MIME sniffing, caching, running anything of it, framing it (clickjacking), and telling others its address. */
export const SECURITY_HEADERS: readonly (readonly [string, string])[] = [
  ["x-content-type-options", "nosniff"],
  ["cache-control", "no-store"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["referrer-policy", "no-referrer"],
];

/** Codes whose detail repeats text of the request, such as the name of a member: card numbers in it are masked. */
const REPEATING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["INVALID_REQUEST", "MALFORMED_JSON", "INVALID_CURRENCY", "INVALID_AMOUNT"]);

/** The problem document of a code. From status 500 on it tells nothing of the fault but the correlation id. */
export function makeProblem(input: {
  code: ErrorCode;
  instance: string;
  correlationId: string;
  detail?: string;
  errors?: readonly ProblemError[];
  order?: object;
}): Problem {
  const { title } = ERROR_CATALOGUE[input.code];
  const status = STATUSES[input.code];
  const masked = REPEATING.has(input.code) ? maskDigits : (text: string) => text;
  const detail = status < 500 ? masked(input.detail ?? title) : title;
  return {
    type: `urn:saldo:error:${input.code}`,
    title,
    status,
    detail,
    instance: input.instance,
    code: input.code,
    correlationId: input.correlationId,
    ...(input.errors === undefined || input.errors.length === 0
      ? {}
      : { errors: input.errors.map(({ pointer, message }) => ({ pointer: masked(pointer), message: masked(message) })) }),
    ...(input.order === undefined ? {} : { order: { ...input.order } }),
  };
}

/** The headers a problem is answered with. */
export function problemHeaders(problem: Problem): Record<string, string> {
  const headers: Record<string, string> = { "content-type": PROBLEM_TYPE };
  if (problem.status === 503 || problem.code === "REQUEST_IN_FLIGHT") headers["retry-after"] = String(RETRY_AFTER_SECONDS);
  // RFC 9110 asks for this header with every 401. It names no error: what was wrong with a token is told to nobody.
  if (problem.status === 401) headers["www-authenticate"] = "Bearer";
  return headers;
}
