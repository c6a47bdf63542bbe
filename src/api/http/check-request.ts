import type { z } from "zod";
import { DomainError } from "../../base/errors.ts";
import type { ApiContext } from "../api-env.ts";
import { codeOfIssue } from "./common-schemas.ts";
import { InvalidRequest } from "./error-handler.ts";
import type { ProblemError } from "./problem.ts";
import { zodWords } from "./zod-words.ts";

/** The part of a request that a schema checks. */
export type RequestPart = "param" | "query" | "json";

/** How many wrong places one answer names. */
const MAX_ERRORS = 20;

/**
 * Checks a part of a request and hands it to the handler, which reads it with `context.req.valid(part)`.
 * Throws: INVALID_REQUEST with every place, or the code that an issue of the schema asks for.
 */
export function checkRequest(context: ApiContext, part: RequestPart, schema: z.ZodType, value: unknown): object {
  const result = schema.safeParse(value, { error: zodWords });
  if (!result.success) throw refusalOf(result.error.issues, part);
  const data = result.data as object;
  context.req.addValidatedData(part, data);
  return data;
}

/** The query as schemas take it: a parameter that stands twice stays a list, which no schema takes. */
export function singleValues(queries: Record<string, string[]>): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(queries).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : values]));
}

function refusalOf(issues: readonly z.core.$ZodIssue[], part: RequestPart): DomainError {
  for (const issue of issues) {
    const code = codeOfIssue(issue);
    if (code !== undefined) return new DomainError(code, undefined, { pointer: pointerTo(issue.path, part) });
  }
  return new InvalidRequest(describeIssues(issues, part).slice(0, MAX_ERRORS));
}

function describeIssues(issues: readonly z.core.$ZodIssue[], part: RequestPart): ProblemError[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({ pointer: pointerTo([...issue.path, key], part), message: "is not known here" }));
    return [{ pointer: pointerTo(issue.path, part), message: issue.message }];
  });
}

// RFC 6901 for the body; a parameter is named as it is written.
function pointerTo(path: readonly PropertyKey[], part: RequestPart): string {
  if (part !== "json") return path.map(String).join(".");
  return path.map((step) => `/${String(step).slice(0, 128).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
