import type { Context } from "hono";
import { DomainError } from "../../base/errors.ts";
import { parseJsonKeepingNumbers } from "../../base/raw-json.ts";
import { decodeContent, tooLarge } from "./content-coding.ts";
import { isJsonType } from "./media-type.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads the body as JSON whose numbers keep their digits (`RawNumber`). With `optional`, no body is `{}`.
 * Throws: UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE (also for a chunked or compressed body), MALFORMED_JSON, INVALID_REQUEST.
 */
export async function readJsonBody(context: Context, options: { readonly maxBytes: number; readonly optional: boolean }): Promise<unknown> {
  const { req } = context;
  const contentType = req.header("content-type");
  const length = req.header("content-length");
  if (
    options.optional &&
    contentType === undefined &&
    (length === "0" || (length === undefined && req.header("transfer-encoding") === undefined))
  )
    return {};
  if (!isJsonType(contentType)) throw new DomainError("UNSUPPORTED_MEDIA_TYPE");
  const bytes = await unlessCutOff(
    length === undefined ? readUpTo(req.raw.body, options.maxBytes) : readOfLength(context, Number(length), options.maxBytes),
  );
  return await parseJsonBody(context, bytes, options.maxBytes);
}

/**
 * The JSON of a body as it was sent, with its Content-Encoding taken off within the limit.
 * Throws: UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, MALFORMED_JSON.
 */
export async function parseJsonBody(context: Context, bytes: Uint8Array, maxBytes: number): Promise<unknown> {
  return parseJsonKeepingNumbers(decodeUtf8(await decodeContent(bytes, context.req.header("content-encoding"), maxBytes)));
}

/**
 * The body that is read, unless its connection ends first: a client that closed it reads no answer, and nothing is wrong on our side.
 * Throws: INVALID_REQUEST, and the expected errors of `reading`.
 */
export async function unlessCutOff(reading: Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError("INVALID_REQUEST", "the body ended too early", {}, error);
  }
}

async function readOfLength(context: Context, length: number, maxBytes: number): Promise<Uint8Array> {
  if (!(length <= maxBytes)) throw tooLarge(maxBytes);
  const bytes = new Uint8Array(await context.req.arrayBuffer());
  if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

/**
 * Reads a body without trusting the length that was announced: reading stops at the limit. No body is no bytes.
 * Throws: PAYLOAD_TOO_LARGE, and what the stream breaks off with.
 */
export async function readUpTo(body: AsyncIterable<Uint8Array> | null, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of body ?? []) {
    total += chunk.byteLength;
    if (total > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, total);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new DomainError("MALFORMED_JSON", "the body is not UTF-8");
  }
}
