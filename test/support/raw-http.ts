import { connect } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  /** Sent verbatim, with any method; as JSON unless a content type is given. */
  readonly body?: string;
  /** Headers in place of the default ones; undefined leaves a header out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** Sends one request over a connection of its own, byte for byte as given: also requests that no HTTP client sends, such as GET with a body. */
export function sendRaw(port: number, { method, path, body, headers = {} }: RawRequest): Promise<RawAnswer> {
  const all: Record<string, string | undefined> = {
    host: "saldo.test",
    connection: "close",
    ...(body === undefined ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const head = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: "127.0.0.1", port }, () =>
      socket.write(`${method} ${path} HTTP/1.1\r\n${head.join("")}\r\n${body ?? ""}`),
    );
    socket.setTimeout(30_000, () => socket.destroy(new Error(`no answer to ${method} ${path}`)));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.once("error", reject);
    socket.once("end", () => resolve(parseAnswer(Buffer.concat(chunks).toString("utf8"))));
  });
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const rest = text.slice(end + 4);
  return { status: Number(statusLine.split(" ")[1]), headers, body: headers["transfer-encoding"] === "chunked" ? unchunk(rest) : rest };
}

// Right for answers in ASCII only, where each character is one byte.
function unchunk(text: string): string {
  let rest = text;
  let body = "";
  for (;;) {
    const lineEnd = rest.indexOf("\r\n");
    const length = Number.parseInt(rest.slice(0, lineEnd), 16);
    if (!(length > 0)) return body;
    body += rest.slice(lineEnd + 2, lineEnd + 2 + length);
    rest = rest.slice(lineEnd + 2 + length + 2);
  }
}
