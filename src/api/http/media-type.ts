import { MIMEType } from "node:util";

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json$/;

/** True for JSON in UTF-8 under every name that its Content-Type may have. Parameters that say nothing about the bytes are not looked at. */
export function isJsonType(contentType: string | undefined): boolean {
  try {
    const { essence, params } = new MIMEType(contentType ?? "");
    return JSON_TYPE.test(essence) && isUtf8(params.get("charset"));
  } catch {
    return false;
  }
}

// The labels of an encoding are those of the WHATWG's standard: `utf8` is one of UTF-8. Throws: RangeError for a label of none.
function isUtf8(charset: string | null): boolean {
  return charset === null || new TextDecoder(charset).encoding === "utf-8";
}
