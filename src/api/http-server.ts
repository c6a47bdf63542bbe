import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { uuidv7 } from "uuidv7";
import type { ErrorCode } from "../errors.ts";
import type { Api } from "./api-env.ts";
import { makeProblem, problemHeaders } from "./problem.ts";

/** A client that sends its headers, or all of its request, more slowly than this is cut off. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the usual 60 s of a proxy, so that it is the proxy that closes an idle connection and never the two at once. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const MAX_HEADER_BYTES = 16_384;

export interface HttpServer {
  readonly port: number;
  /** Takes no new connections, lets running requests end within `graceMs`, then cuts the rest. */
  close(graceMs: number): Promise<void>;
}

/** Listens with the API on `host` and `port` (0 takes a free one). Throws: the system's error when the address is taken. */
export async function listen(api: Api, options: { readonly host: string; readonly port: number }): Promise<HttpServer> {
  const listener = getRequestListener(api.fetch, { errorHandler: () => plainProblem("INVALID_REQUEST") });
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, insecureHTTPParser: false },
    (request: IncomingMessage, response: ServerResponse) => void listener(request, response),
  );
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  server.on("clientError", answerClientError);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: (graceMs) => close(server, graceMs) };
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cut);
}

// What Node's parser refuses never reaches the app; its answer has the same form all the same.
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const [status, code, extra] = clientErrorMeaning(error.code);
  const problem = { ...makeProblem({ code, instance: "", correlationId: uuidv7() }), status };
  const body = JSON.stringify(problem);
  const headers = { ...problemHeaders(problem), ...extra, "content-length": String(Buffer.byteLength(body)), connection: "close" };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? "Bad Request"}\r\n${lines.join("")}\r\n${body}`);
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

function clientErrorMeaning(code: string | undefined): [number, ErrorCode, Record<string, string>] {
  if (code === "HPE_INVALID_METHOD") return [405, "METHOD_NOT_ALLOWED", { allow: "GET, HEAD, POST" }];
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return [408, "INVALID_REQUEST", {}];
  if (code === "HPE_HEADER_OVERFLOW") return [431, "INVALID_REQUEST", {}];
  return [400, "INVALID_REQUEST", {}];
}

function plainProblem(code: ErrorCode): Response {
  const problem = makeProblem({ code, instance: "", correlationId: uuidv7() });
  return new Response(JSON.stringify(problem), { status: problem.status, headers: problemHeaders(problem) });
}
