import type { ApiContext } from "../api-env.ts";
import { writeLegacyJson, type LegacyValue } from "./legacy-json.ts";
import { okSchema } from "./schemas.ts";

export const OK_ANSWER = { type: "text/plain", schema: okSchema, description: "Done: the text `OK`." } as const;

/** The text `OK`, as the earlier service answered whatever had no other answer. */
export function answerOk(context: ApiContext): Response {
  return context.body("OK", 200, { "content-type": "text/plain; charset=utf-8" });
}

/** A value as JSON whose numbers are exact. */
export function answerJson(context: ApiContext, value: LegacyValue, status: 200 | 202 = 200): Response {
  return context.body(writeLegacyJson(value), status, { "content-type": "application/json" });
}
