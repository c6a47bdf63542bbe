/** In valid JSON text every match is a whole string or a whole number, so numbers inside strings are never touched. */
const STRING_OR_NUMBER = /"(?:[^"\\]+|\\.)*"|-?\d[\d.eE+-]*/g;

/**
 * The top-level field of a JSON object as it is written, when it is a number: `100.10` and not 100.1. Undefined when the
 * field is something else. `text` must be valid JSON.
 */
export function numberAsWritten(text: string, field: string): string | undefined {
  const quoted = text.replace(STRING_OR_NUMBER, (token) => (token.startsWith('"') ? token : `"${token}"`));
  const value: unknown = (JSON.parse(quoted) as Record<string, unknown>)[field];
  return typeof value === "string" ? value : undefined;
}
