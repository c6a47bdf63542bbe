import type { z } from "zod";

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
};

/** What is wrong with a value, in words for a client, for issues whose schema has no message of its own; undefined leaves the message to the library. */
export function zodWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "must be given" : `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.length === 1 ? "" : "one of "}${issue.values.map(String).join(", ")}`;
    case "invalid_union":
      return "must be of one of the forms that are described";
    case "invalid_format":
      return `must be written as ${issue.format}`;
    case "too_small":
      return `must ${sizeOf(issue.origin, `at least ${issue.minimum}`)}`;
    case "too_big":
      return `must ${sizeOf(issue.origin, `at most ${issue.maximum}`)}`;
    // Their messages come from the schema itself, and those of unknown keys from `checkRequest`.
    case "custom":
    case "invalid_element":
    case "invalid_key":
    case "not_multiple_of":
    case "unrecognized_keys":
    default:
      return undefined;
  }
}

function sizeOf(origin: string, bound: string): string {
  if (origin === "string") return `have ${bound} characters`;
  return origin === "array" || origin === "set" ? `have ${bound} members` : `be ${bound}`;
}
