import { isRawNumber } from "../../base/raw-json.ts";

/** The JSON text of a value that `parseJsonKeepingNumbers` read, with the digits of its numbers as they were sent. */
export function writeJson(value: unknown): string {
  if (isRawNumber(value)) return value.raw;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .map(([name, member]) => `${JSON.stringify(name)}:${writeJson(member)}`)
      .join(",")}}`;
  return JSON.stringify(value);
}
