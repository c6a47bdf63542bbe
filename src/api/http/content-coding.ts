import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, type BrotliOptions, type InputType, type ZlibOptions } from "node:zlib";
import { DomainError } from "../../base/errors.ts";

type Decode = (bytes: InputType, options: ZlibOptions & BrotliOptions) => Promise<Uint8Array>;

/** The codings of RFC 9110, 8.4.1, and brotli. */
const CODINGS: Readonly<Record<string, Decode>> = {
  gzip: promisify(gunzip) as Decode,
  "x-gzip": promisify(gunzip) as Decode,
  deflate: promisify(inflate) as Decode,
  br: promisify(brotliDecompress) as Decode,
};

/**
 * The bytes of a body without their Content-Encoding. Decoding stops at `maxBytes`, so that a few bytes that say much (a zip bomb) cost no
 * more than a body that is sent plainly.
 * Throws: UNSUPPORTED_MEDIA_TYPE with the codings that are taken, PAYLOAD_TOO_LARGE, MALFORMED_JSON when the bytes are not of the coding.
 */
export async function decodeContent(bytes: Uint8Array, contentEncoding: string | undefined, maxBytes: number): Promise<Uint8Array> {
  const coding = (contentEncoding ?? "").trim().toLowerCase();
  if (coding === "" || coding === "identity") return bytes;
  const decode = Object.hasOwn(CODINGS, coding) ? CODINGS[coding] : undefined;
  if (decode === undefined)
    throw new DomainError("UNSUPPORTED_MEDIA_TYPE", "the Content-Encoding is not known", {
      acceptEncoding: "gzip, deflate, br, identity",
    });
  try {
    return await decode(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes);
    throw new DomainError("MALFORMED_JSON", `the body is not of its Content-Encoding, ${coding}`, {}, error);
  }
}

/** What a body over the limit is refused with. */
export function tooLarge(maxBytes: number): DomainError {
  return new DomainError("PAYLOAD_TOO_LARGE", `the body may have ${maxBytes} bytes`);
}
