import { plainHost } from "./url-host.ts";

/** Host and port of `host:port`, `[ipv6]:port` or an address with a scheme; `defaultPort` where it names none. */
export function parseServerAddress(text: string, defaultPort: number): { host: string; port: number } {
  const url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `tcp://${text}`);
  return { host: plainHost(url.hostname), port: url.port === "" ? defaultPort : Number(url.port) };
}
