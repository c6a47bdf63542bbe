import type { IncomingMessage } from "node:http";
import { DomainError } from "../../base/errors.ts";
import { parseJsonKeepingNumbers } from "../../base/raw-json.ts";
import type { ApiContext } from "../api-env.ts";
import { readJsonBody } from "../http/request-body.ts";

/** How much of a body that is over the limit is still taken from the connection, so that its next request can be read. */
const MAX_DRAINED_BYTES = 1_048_576;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Where the parameters stood: errors name them accordingly. */
export interface LegacyInput {
  readonly from: "json" | "query";
  readonly value: unknown;
}

/** The request as Node read it, where the app runs behind a listener. */
export function incomingOf(context: ApiContext): IncomingMessage | undefined {
  return (context.env as { readonly incoming?: IncomingMessage } | undefined)?.incoming;
}

/**
 * Reads the parameters of a request. POST has them in a JSON body. GET and DELETE have them in a JSON body of any content type or in
 * the query; where both are given the body counts and the query is not looked at.
 * A browser cannot send a body of another site's making with GET or DELETE unasked; with POST it can, so there the type must be JSON.
 * Throws: UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, MALFORMED_JSON, INVALID_REQUEST.
 */
export async function readLegacyInput(context: ApiContext, maxBytes: number): Promise<LegacyInput> {
  if (context.req.method === "POST") return { from: "json", value: await readJsonBody(context, { maxBytes, optional: false }) };
  const bytes = hasBody(context)
    ? await readUpTo(bodyOf(context), maxBytes).catch((error: unknown) => leaveRest(context, error))
    : undefined;
  if (bytes === undefined || bytes.byteLength === 0) return { from: "query", value: queryOf(context) };
  return { from: "json", value: parseJsonKeepingNumbers(decode(bytes)) };
}

function hasBody({ req }: ApiContext): boolean {
  const length = req.header("content-length");
  return req.header("transfer-encoding") !== undefined || (length !== undefined && length !== "0");
}

// Fetch's Request has no body with GET and HEAD, whatever was sent: it is still unread in Node's own request.
function bodyOf(context: ApiContext): AsyncIterable<Uint8Array> {
  const { method, raw } = context.req;
  // Left at the limit, Node's request must stay: with it the connection would go, and the answer with that.
  if (method === "GET" || method === "HEAD") return incomingOf(context)?.iterator({ destroyOnReturn: false }) ?? nothing();
  return raw.body ?? nothing();
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // No bytes.
}

// The limit holds whatever length was announced: reading stops there.
async function readUpTo(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of body) {
      total += chunk.byteLength;
      if (total > maxBytes) throw new DomainError("PAYLOAD_TOO_LARGE", `the body may have ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError("INVALID_REQUEST", "the body ended before its end", {}, error);
  }
  return Buffer.concat(chunks, total);
}

// Node drops the rest of a body only where nothing of it was read. More than a little is not waited for: the connection is cut.
function leaveRest(context: ApiContext, error: unknown): never {
  const incoming = incomingOf(context);
  if (incoming !== undefined && !incoming.readableEnded && !incoming.destroyed) {
    let drained = 0;
    incoming.on("data", (chunk: Buffer) => {
      drained += chunk.byteLength;
      if (drained > MAX_DRAINED_BYTES) incoming.destroy();
    });
    incoming.on("error", () => {});
    incoming.resume();
  }
  throw error;
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new DomainError("MALFORMED_JSON", "the body is not UTF-8");
  }
}

// A parameter that stands twice stays a list, which no schema takes.
function queryOf(context: ApiContext): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(context.req.queries()).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : values]),
  );
}
