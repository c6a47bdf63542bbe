/**
 * True when a request's Host header, such as `localhost:8080`, names this machine. A page of another site can have its name lead
 * here; it cannot choose what its requests call the host.
 */
export function isLoopbackHost(host = ""): boolean {
  return /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host);
}
