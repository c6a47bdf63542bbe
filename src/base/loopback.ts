/**
 * True when a request's Host header, such as `localhost:8080`, names this machine. Asked against DNS rebinding: a page of another site can
 * point its own name at 127.0.0.1, but its requests then carry that name in the Host header.
 */
export function isLoopbackHost(host = ""): boolean {
  return /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host);
}
