import type { IncomingMessage } from "node:http";
import type { ApiContext } from "../api-env.ts";
import { singleValues } from "../http/check-request.ts";
import { parseJsonBody, readJsonBody, readUpTo, unlessCutOff } from "../http/request-body.ts";

/** How much of a body that is over the limit is still taken from the connection, so that its next request can be read. */
const MAX_DRAINED_BYTES = 1_048_576;

/** The parameters of a request, and where they stood: errors point to a member of the body or name a parameter of the query. */
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
 * Against CSRF a POST must be of type JSON: a page of another site can make a browser send a POST with a body, but not without a
 * CORS preflight one of that type, nor a GET or DELETE with a body.
 * Throws: UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, MALFORMED_JSON, INVALID_REQUEST.
 */
export async function readLegacyInput(context: ApiContext, maxBytes: number): Promise<LegacyInput> {
  if (context.req.method === "POST") return { from: "json", value: await readJsonBody(context, { maxBytes, optional: false }) };
  const bytes = hasBody(context)
    ? await unlessCutOff(readUpTo(bodyOf(context), maxBytes)).catch((error: unknown) => leaveRest(context, error))
    : undefined;
  if (bytes === undefined || bytes.byteLength === 0) return { from: "query", value: singleValues(context.req.queries()) };
  return { from: "json", value: await parseJsonBody(context, bytes, maxBytes) };
}

function hasBody({ req }: ApiContext): boolean {
  const length = req.header("content-length");
  return req.header("transfer-encoding") !== undefined || (length !== undefined && length !== "0");
}

// A Request of the Fetch API has no body with GET and HEAD, whatever was sent: those bytes are still unread in Node's own request.
function bodyOf(context: ApiContext): AsyncIterable<Uint8Array> | null {
  const { method, raw } = context.req;
  // Reading that stops at the limit must not destroy Node's request: that would close the connection before the answer is sent.
  if (method === "GET" || method === "HEAD") return incomingOf(context)?.iterator({ destroyOnReturn: false }) ?? null;
  return raw.body;
}

// Node discards the rest of a body only when nothing of it was read. Here the rest is read and discarded up to `MAX_DRAINED_BYTES`;
// beyond that the connection is cut.
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
