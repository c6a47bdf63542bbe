import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";

/** True for HTTP/1.0, as health checks of load balancers still speak it. */
export function isOldVersion({ httpVersionMajor, httpVersionMinor }: IncomingMessage): boolean {
  return httpVersionMajor === 1 && httpVersionMinor === 0;
}

/**
 * False for a request whose host or end a proxy could read otherwise than Saldo (request smuggling): two hosts, HTTP/1.1 without a host,
 * HTTP/1.0 with chunks, which that version does not have (RFC 9112, 3.2 and 6.1).
 */
export function isFramedRight(request: IncomingMessage): boolean {
  const hosts = request.rawHeaders.filter((name, place) => place % 2 === 0 && name.toLowerCase() === "host").length;
  if (isOldVersion(request)) return hosts <= 1 && request.headers["transfer-encoding"] === undefined;
  return hosts === 1 && request.headers.host !== "";
}

/** Gives a request without a host the address that it came in at. */
export function nameHost(request: IncomingMessage): void {
  const { localAddress = "127.0.0.1", localPort = 80 } = request.socket;
  const address = localAddress.replace(/^::ffff:(?=\d+\.)/, "");
  const host = `${isIPv6(address) ? `[${address}]` : address}:${localPort}`;
  request.headers.host = host;
  request.rawHeaders.push("Host", host);
}
