import { plainHost } from "./url-host.ts";

/**
 * True when a request's Host header, such as `localhost:8080`, names this machine. Asked against DNS rebinding: a page of another site can
 * point its own name at 127.0.0.1, but its requests then carry that name in the Host header.
 */
export function isLoopbackHost(host = ""): boolean {
  return /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host);
}

/** True for a host that is this machine: `localhost`, `127.0.0.1` or `::1`, also in brackets. */
export function isLoopbackAddress(host: string): boolean {
  return LOOPBACK_HOSTS.has(plainHost(host).toLowerCase());
}

const LOOPBACK_HOSTS = new Set(["127.0.0.1", "localhost", "::1"]);
