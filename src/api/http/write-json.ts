import { isRawNumber } from "../../base/raw-json.ts";

/** JSON as it was read by `parseJsonKeepingNumbers`, with the very digits of its numbers. */
export function writeJson(value: unknown): string {
  if (isRawNumber(value)) return value.raw;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .map(([name, member]) => `${JSON.stringify(name)}:${writeJson(member)}`)
      .join(",")}}`;
  return JSON.stringify(value);
}
