import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { uuidv7 } from "uuidv7";
import type { Log } from "../../adapters/log.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { Api } from "../api-env.ts";
import { createConnectionTurns } from "./connection-turns.ts";
import { isFramedRight, isOldVersion, nameHost } from "./http-versions.ts";
import { makeProblem, problemHeaders, SECURITY_HEADERS } from "./problem.ts";
import { listMethods, routeMethods } from "./route-methods.ts";
import { followCertificate, readServerCertificate, type CertificateFiles } from "./server-certificate.ts";

/** A client that sends its headers, or all of its request, more slowly than this is cut off. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** How often Node looks for connections past these two timeouts; its default of 30 s would double the longer one. */
const MAX_CHECK_INTERVAL_MS = 1_000;
/** Longer than the usual 60 s of a proxy, so that the proxy closes an idle connection first and never sends a request into one that is being closed here. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** How long the answer to a connection that is cut off has to arrive. */
const LINGER_MS = 500;
const CLOSE_IDLE_EVERY_MS = 50;
const MAX_HEADER_BYTES = 16_384;

export interface HttpServer {
  readonly port: number;
  /** Takes no new connections, lets running requests end within `graceMs`, then cuts the rest. */
  close(graceMs: number): Promise<void>;
}

/** HTTPS: the files are looked at again while the server runs, and what becomes of them is told to `log`. */
export interface HttpsOptions extends CertificateFiles {
  readonly log: Log;
  readonly lookEveryMs?: number;
}

/**
 * Listens with the API on `host` and `port` (0 takes a free one); with `https` it speaks TLS 1.2 or newer, and HTTP/1.1 inside.
 * Throws: the system's error when the address is taken; CertificateError.
 */
export async function listen(
  api: Pick<Api, "fetch" | "routes">,
  options: {
    readonly host: string;
    readonly port: number;
    readonly https?: HttpsOptions | undefined;
    readonly headersTimeoutMs?: number;
    readonly requestTimeoutMs?: number;
  },
): Promise<HttpServer> {
  const { headersTimeoutMs = HEADERS_TIMEOUT_MS, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const listener = getRequestListener(api.fetch, { errorHandler: () => plainProblem("INVALID_REQUEST") });
  const turns = createConnectionTurns();
  const methods = listMethods(routeMethods(api));
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (!isFramedRight(request)) return refuse(request, response, 400, "INVALID_REQUEST");
    if (isOldVersion(request) && !request.headers.host) nameHost(request);
    void listener(request, response);
  };
  const cutOff = (error: Error & { code?: string }, socket: Socket): void => {
    // No words of HTTP are understood by who could not agree on TLS.
    if (error.code?.startsWith("ERR_SSL_") === true || error.code?.startsWith("ERR_TLS_") === true) return void socket.destroy();
    const response = turns.answering(socket);
    // Once an answer has begun, a second one would be read as the rest of the first.
    if (response !== undefined && response.req.complete && !response.writableFinished)
      // The request was read whole, so it is the next one that is none: its refusal must not pass for the answer to this one.
      response.once("finish", () => answerClientError(error, socket, methods));
    else if (response !== undefined && response.headersSent && !response.writableFinished) socket.destroy();
    else answerClientError(error, socket, methods);
  };
  const { server, end, cutHandshakes } = await openServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      // Node's own answer to a request without a host has no body; here it is refused in the form of every error.
      requireHostHeader: false,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(MAX_CHECK_INTERVAL_MS, Math.ceil(headersTimeoutMs / 2)),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
    (request, response) => turns.take(request, response, handle),
    options.https,
  );
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) =>
    turns.take(request, response, () => refuse(request, response, 417, "INVALID_REQUEST")),
  );
  server.on("connect", (_request: IncomingMessage, socket: Socket) =>
    cutOff(Object.assign(new Error("CONNECT"), { code: "HPE_INVALID_METHOD" }), socket),
  );
  server.on("clientError", cutOff);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const closeAll = (graceMs: number) => close(server, graceMs, cutHandshakes).finally(end);
  return { port: (server.address() as AddressInfo).port, close: closeAll };
}

async function openServer(
  options: ServerOptions,
  take: (request: IncomingMessage, response: ServerResponse) => void,
  https: HttpsOptions | undefined,
): Promise<{ server: Server; end: () => void; cutHandshakes: () => void }> {
  if (https === undefined) return { server: createServer(options, take), end: () => undefined, cutHandshakes: () => undefined };
  const first = await readServerCertificate(https);
  const server = createSecureServer({ ...options, ...first.options, handshakeTimeout: HEADERS_TIMEOUT_MS }, take);
  return { server, end: followCertificate(server, { ...https, files: https, first }), cutHandshakes: watchHandshakes(server) };
}

/** Returns what cuts the connections on which TLS is not agreed on yet: to `closeAllConnections` they are none. */
function watchHandshakes(server: SecureServer): () => void {
  const open = new Map<string, Socket>();
  const placeOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;
  server.on("connection", (socket: Socket) => {
    const place = placeOf(socket);
    open.set(place, socket);
    socket.once("close", () => open.get(place) === socket && open.delete(place));
  });
  server.on("secureConnection", (socket) => open.delete(placeOf(socket)));
  return () => {
    for (const socket of open.values()) socket.destroy();
  };
}

async function close(server: Server, graceMs: number, cutHandshakes: () => void): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Connections that are kept alive become idle one by one, each when its last answer ends.
  const closing = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const cut = setTimeout(() => {
    server.closeAllConnections();
    cutHandshakes();
  }, graceMs);
  await closed;
  clearTimeout(cut);
  clearInterval(closing);
}

// The request's body stays unread, so the connection cannot take another request.
function refuse(request: IncomingMessage, response: ServerResponse, status: number, code: ErrorCode): void {
  const problem = { ...makeProblem({ code, instance: pathOf(request), correlationId: uuidv7() }), status };
  const body = JSON.stringify(problem);
  const framing = { "content-length": String(Buffer.byteLength(body)), connection: "close" };
  response.writeHead(status, { ...Object.fromEntries(SECURITY_HEADERS), ...problemHeaders(problem), ...framing });
  response.end(body);
}

function pathOf({ url = "" }: IncomingMessage): string {
  return url.startsWith("/") ? (url.split("?", 1)[0] ?? "") : "";
}

// A request that Node's parser refuses never reaches the app; it is answered in the form of every other error.
function answerClientError(error: Error & { code?: string }, socket: Socket, methods: string): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const [status, code, extra] = clientErrorMeaning(error.code, methods);
  const problem = { ...makeProblem({ code, instance: "", correlationId: uuidv7() }), status };
  const body = JSON.stringify(problem);
  const headers = {
    ...Object.fromEntries(SECURITY_HEADERS),
    ...problemHeaders(problem),
    ...extra,
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? "Bad Request"}\r\n${lines.join("")}\r\n${body}`);
  // A client that keeps its side open would hold the connection; destroying the socket at once could lose the answer.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

function clientErrorMeaning(code: string | undefined, methods: string): [number, ErrorCode, Record<string, string>] {
  if (code === "HPE_INVALID_METHOD") return [405, "METHOD_NOT_ALLOWED", { allow: methods }];
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return [408, "INVALID_REQUEST", {}];
  if (code === "HPE_HEADER_OVERFLOW") return [431, "INVALID_REQUEST", {}];
  return [400, "INVALID_REQUEST", {}];
}

function plainProblem(code: ErrorCode): Response {
  const problem = makeProblem({ code, instance: "", correlationId: uuidv7() });
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { ...Object.fromEntries(SECURITY_HEADERS), ...problemHeaders(problem), connection: "close" },
  });
}
