/** An answer as it came. Header names are in lower case. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The server closes the connection after it. */
  readonly closes: boolean;
}

const END_OF_HEAD = "\r\n\r\n";

/** Reads the one answer that `received` holds; undefined while it is not there whole. */
export function readAnswer(received: Buffer): RawAnswer | undefined {
  const headEnd = received.indexOf(END_OF_HEAD);
  if (headEnd < 0) return undefined;
  const [first = "", ...lines] = received.toString("latin1", 0, headEnd).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const status = Number(first.split(" ")[1]);
  const body = readBody(received.subarray(headEnd + END_OF_HEAD.length), status, headers);
  return body === undefined ? undefined : { status, headers, body, closes: headers["connection"]?.toLowerCase() === "close" };
}

function readBody(rest: Buffer, status: number, headers: Readonly<Record<string, string>>): string | undefined {
  if (status === 204 || status === 304) return "";
  if (headers["transfer-encoding"]?.toLowerCase() === "chunked") return readChunks(rest);
  const length = Number(headers["content-length"] ?? 0);
  return rest.length < length ? undefined : rest.toString("utf8", 0, length);
}

function readChunks(rest: Buffer): string | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = rest.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(rest.toString("latin1", at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (rest.length < end) return undefined;
    if (size === 0) return Buffer.concat(chunks).toString("utf8");
    chunks.push(rest.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}
