import { connect, type Socket } from "node:net";
import { readAnswer, type RawAnswer } from "./http-answer.ts";

/** A request as its bytes are sent. */
export interface RawRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface HttpPool {
  /** Sends one request on a connection that no other request uses meanwhile. Throws: Error when the connection breaks or the deadline passes. */
  send(request: RawRequest): Promise<RawAnswer>;
  /** How many connections were opened and not closed. */
  size(): number;
  close(): void;
}

/** What lets in more than this is no server that bounds its latency. */
const MAX_CONNECTIONS = 10_000;

/**
 * A client that costs a tenth of `fetch`, so that it measures the server and not itself: keep-alive connections, one request at a time
 * on each, a new connection when all are in use. It knows what this API answers with and nothing more of HTTP.
 */
export function createHttpPool(baseUrl: string, options: { headers: Readonly<Record<string, string>>; deadlineMs: number }): HttpPool {
  const { hostname, port } = new URL(baseUrl);
  const idle: Connection[] = [];
  const open = new Set<Connection>();
  const take = (): Connection => {
    const known = idle.pop();
    if (known !== undefined) return known;
    if (open.size >= MAX_CONNECTIONS) throw new Error(`more than ${MAX_CONNECTIONS} requests wait for their answer`);
    const made = openConnection(hostname, Number(port), options.deadlineMs, () => {
      open.delete(made);
      const place = idle.indexOf(made);
      if (place >= 0) idle.splice(place, 1);
    });
    open.add(made);
    return made;
  };
  const common = { host: `${hostname}:${port}`, ...options.headers };
  return {
    async send(request) {
      const connection = take();
      const answer = await connection.exchange(bytesOf(request, common));
      if (!answer.closes) idle.push(connection);
      return answer;
    },
    size: () => open.size,
    close() {
      for (const connection of open) connection.destroy();
    },
  };
}

function bytesOf({ method, path, headers = {}, body }: RawRequest, common: Readonly<Record<string, string>>): string {
  const text = body === undefined ? "" : JSON.stringify(body);
  const framing = body === undefined ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) };
  const lines = Object.entries({ ...common, ...framing, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${text}`;
}

interface Connection {
  exchange(bytes: string): Promise<RawAnswer>;
  destroy(): void;
}

interface Waiting {
  readonly resolve: (answer: RawAnswer) => void;
  readonly reject: (error: Error) => void;
}

function openConnection(host: string, port: number, deadlineMs: number, onClose: () => void): Connection {
  const socket: Socket = connect({ host, port, noDelay: true });
  let received: Buffer = Buffer.alloc(0);
  let waiting: Waiting | undefined;
  socket.on("data", (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const answer = readAnswer(received);
    if (answer === undefined) return;
    received = Buffer.alloc(0);
    const { resolve } = waiting ?? {};
    waiting = undefined;
    socket.setTimeout(0);
    resolve?.(answer);
  });
  socket.on("timeout", () => socket.destroy(new Error(`no answer within ${deadlineMs} ms`)));
  let cause: Error | undefined;
  socket.on("error", (error) => void (cause = error));
  socket.on("close", () => {
    onClose();
    waiting?.reject(cause ?? new Error("the connection was closed"));
  });
  return {
    exchange: (bytes) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.setTimeout(deadlineMs);
        socket.write(bytes);
      }),
    destroy: () => socket.destroy(),
  };
}
