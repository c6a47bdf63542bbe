import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { Log } from "../../adapters/log.ts";
import { causesOf, DomainError, type ErrorCode } from "../../base/errors.ts";
import { maskDigits } from "../../domain/cards/card.ts";
import { isRetryable } from "../../store/postgres/lane.ts";
import type { ApiEnv } from "../api-env.ts";
import { makeProblem, problemHeaders, type ProblemError } from "./problem.ts";

/** A request that does not fit its schema. `errors` names all wrong places at once. */
export class InvalidRequest extends DomainError {
  readonly errors: readonly ProblemError[];

  constructor(errors: readonly ProblemError[]) {
    super("INVALID_REQUEST", errors.map(({ pointer, message }) => `${pointer} ${message}`).join("; "));
    this.errors = errors;
  }
}

/** A request about several things that went through for some of them only. `order` tells what became of each. */
export class RefusedInPart extends DomainError {
  readonly order: object;

  constructor(cause: DomainError, message: string, order: object) {
    super(cause.code, message, cause.details, cause);
    this.order = order;
  }
}

/** Answers any error as problem details. An unexpected error is answered as INTERNAL, and its message goes to the log only. */
export function createErrorHandler(log: Log): (error: unknown, context: Context<ApiEnv>) => Response {
  return (error, context) => {
    const domainError = asDomainError(error);
    const response = answerProblem(
      context,
      domainError.code,
      domainError.message,
      errorsOf(domainError),
      domainError instanceof RefusedInPart ? domainError.order : undefined,
    );
    const { retryAfterMs, retryAfterSeconds = secondsOf(retryAfterMs), acceptEncoding } = domainError.details;
    if (retryAfterSeconds !== undefined) response.headers.set("retry-after", retryAfterSeconds);
    if (acceptEncoding !== undefined) response.headers.set("accept-encoding", acceptEncoding);
    // What was shed is no fault, and a line for each would be one more load; each has its line in the log of requests, and all their counter.
    if (response.status >= 500 && domainError.code !== "OVERLOADED")
      log.error(
        { err: error, code: domainError.code, correlationId: context.get("correlationId"), path: maskDigits(context.req.path) },
        "request failed",
      );
    return response;
  };
}

/** The response for a code, in the form every error has. */
export function answerProblem(
  context: Context<ApiEnv>,
  code: ErrorCode,
  detail?: string,
  errors: readonly ProblemError[] = [],
  order?: object,
): Response {
  const problem = makeProblem({
    code,
    instance: context.req.path,
    correlationId: context.get("correlationId"),
    errors,
    ...(detail === undefined ? {} : { detail }),
    ...(order === undefined ? {} : { order }),
  });
  context.set("problemCode", code);
  return context.body(JSON.stringify(problem), problem.status as 400, problemHeaders(problem));
}

// Retry-After has whole seconds; they are rounded up, so that nobody comes back too early.
function secondsOf(ms: string | undefined): string | undefined {
  const wholeMs = Number(ms);
  return ms !== undefined && Number.isFinite(wholeMs) && wholeMs > 0 ? String(Math.ceil(wholeMs / 1_000)) : undefined;
}

function errorsOf(error: DomainError): readonly ProblemError[] {
  if (error instanceof InvalidRequest) return error.errors;
  const { pointer, reservationIds } = error.details;
  if (reservationIds !== undefined) return reservationIds.split(" ").map((message) => ({ pointer: "/reservationId", message }));
  return pointer === undefined ? [] : [{ pointer, message: error.message }];
}

/**
 * The expected failure behind an error; INTERNAL where there is none. The query builder wraps the error that the lane threw: the expected
 * error may be the cause of one or two others.
 */
export function asDomainError(error: unknown): DomainError {
  for (const current of causesOf(error)) {
    if (current instanceof DomainError) return current;
    if (isRetryable(current)) return new DomainError("UNAVAILABLE", undefined, {}, error);
  }
  if (error instanceof HTTPException && error.status === 404) return new DomainError("NOT_FOUND", undefined, {}, error);
  if (error instanceof HTTPException && error.status < 500) return new DomainError("INVALID_REQUEST", undefined, {}, error);
  return new DomainError("INTERNAL", undefined, {}, error);
}
