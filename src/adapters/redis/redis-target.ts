import { TLS_PARAMETERS, tlsFilesOf, withoutParameters } from "../../base/tls-address.ts";
import { tlsFrom, type TlsOptions } from "../../base/tls-files.ts";
import { plainHost } from "../../base/url-host.ts";

/** An address of Redis as the client is to be given it, and beside it what the client would not read out of it. */
export interface RedisTarget {
  readonly url: string;
  readonly options: { readonly tls?: TlsOptions };
}

/**
 * With an address of `rediss://` go the files that it names; every client of Redis is made with it. They are read for each connection.
 * Throws: the file system's error or TLS's own, when the files cannot be used.
 */
export function redisTarget(address: string): RedisTarget {
  const url = withoutParameters(address, TLS_PARAMETERS);
  const { protocol, hostname } = new URL(address);
  if (protocol !== "rediss:") return { url, options: {} };
  return { url, options: { tls: tlsFrom(tlsFilesOf(address), plainHost(hostname)) } };
}
