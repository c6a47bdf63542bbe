import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";

/** How a server is spoken to over TLS. Without `ca` Node's own list of authorities counts (and NODE_EXTRA_CA_CERTS). */
export interface TlsFiles {
  /** The file with the certificates of the authorities that may have signed the server's certificate, in PEM. */
  readonly ca?: string | undefined;
  /** The file with this client's certificate, and those between it and its authority, in PEM. */
  readonly cert?: string | undefined;
  /** The file with the key of `cert`, in PEM. */
  readonly key?: string | undefined;
  /** The name that the server's certificate must have, where it is not the host of the address. */
  readonly serverName?: string | undefined;
}

/** As `tls.connect` takes it. The server's certificate and its name are always checked, also where NODE_TLS_REJECT_UNAUTHORIZED is 0. */
export interface TlsOptions {
  readonly secureContext: SecureContext;
  readonly servername?: string;
  readonly host: string;
  readonly rejectUnauthorized: true;
}

/** A text that begins like this is a certificate or a key itself, and not the name of its file. */
const PEM = "-----BEGIN ";

/** The content of a file in PEM; a text that is PEM itself is given back. Throws: the file system's error. */
export function readPem(file: string): string {
  return isPem(file) ? file : readFileSync(file, "utf8");
}

/** True for a text that is a certificate or a key itself. */
export function isPem(text: string): boolean {
  return text.trimStart().startsWith(PEM);
}

/** The content of the files. Throws: the file system's error. */
export function pemOf({ ca, cert, key }: TlsFiles): { readonly ca?: string; readonly cert?: string; readonly key?: string } {
  return {
    ...(ca === undefined ? {} : { ca: readPem(ca) }),
    ...(cert === undefined ? {} : { cert: readPem(cert) }),
    ...(key === undefined ? {} : { key: readPem(key) }),
  };
}

/**
 * What every client of the system gives to Node's TLS. `host` is where the connection goes to; it is the name to check unless `serverName`
 * is given. The files are read again with each use of `secureContext`, so that a new connection takes a renewed certificate without a
 * restart; while they cannot be read or do not fit together, as in the middle of a renewal, the content that was read last counts.
 * Throws: the file system's error, or TLS's own, when the files cannot be used now.
 */
export function tlsFrom(files: TlsFiles, host: string): TlsOptions {
  const servername = files.serverName ?? (isIP(host) === 0 ? host : undefined);
  let content = pemOf(files);
  let secureContext = createSecureContext(content);
  return {
    host,
    ...(servername === undefined ? {} : { servername }),
    rejectUnauthorized: true,
    get secureContext() {
      try {
        const found = pemOf(files);
        if (found.ca === content.ca && found.cert === content.cert && found.key === content.key) return secureContext;
        secureContext = createSecureContext(found);
        content = found;
      } catch {}
      return secureContext;
    },
  };
}
