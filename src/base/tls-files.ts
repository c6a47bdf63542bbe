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

/** A file does not hold what its part of TLS needs. */
export class PemError extends Error {
  override readonly name = "PemError";
}

const CERTIFICATE = /-----(BEGIN|END) (?:TRUSTED |X509 )?CERTIFICATE-----/g;
const KEY = /-----(BEGIN|END) (?:[A-Z0-9]+ )*PRIVATE KEY-----/g;

/**
 * What is wrong with the content of a file for this part, in words after "is a file that"; undefined for one that may be used. To Node and to
 * Temporal's client an empty list of authorities is none: the public ones, which anybody can have a certificate of, would then be trusted.
 */
function pemProblem(part: "ca" | "cert" | "key", content: string): string | undefined {
  const marks = [...content.matchAll(part === "key" ? KEY : CERTIFICATE)].map(([, mark]) => mark);
  if (marks.length === 0) return part === "key" ? "holds no key in PEM" : "holds no certificate in PEM";
  if (marks.length % 2 !== 0 || marks.some((mark, index) => mark !== (index % 2 === 0 ? "BEGIN" : "END"))) return "is not complete";
  if (part === "key" && /BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(content))
    return "holds a key with a passphrase, which cannot be given";
  return undefined;
}

/** What is wrong with a file for this part, in words; undefined for one that may be used. */
export function pemFileProblem(part: "ca" | "cert" | "key", file: string): string | undefined {
  try {
    const problem = pemProblem(part, readPem(file));
    return problem === undefined ? undefined : `is a file that ${problem}`;
  } catch {
    return "is a file that cannot be read";
  }
}

/** The content of the files. Throws: the file system's error, PemError. */
export function pemOf({ ca, cert, key }: TlsFiles): { readonly ca?: string; readonly cert?: string; readonly key?: string } {
  return {
    ...(ca === undefined ? {} : { ca: readPart("ca", ca) }),
    ...(cert === undefined ? {} : { cert: readPart("cert", cert) }),
    ...(key === undefined ? {} : { key: readPart("key", key) }),
  };
}

function readPart(part: "ca" | "cert" | "key", file: string): string {
  const content = readPem(file);
  const problem = pemProblem(part, content);
  if (problem !== undefined) throw new PemError(`the file of _TLS_${part.toUpperCase()} ${problem}`);
  return content;
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
