import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions, type Server } from "node:tls";
import type { Log } from "../../adapters/log.ts";
import { messageOf } from "../../base/errors.ts";

/** The PEM files of the server's certificate, with its chain, and of its key. */
export interface CertificateFiles {
  readonly certPath: string;
  readonly keyPath: string;
}

/** A certificate with its key, and both as they were read. */
export interface ServerCertificate {
  readonly options: SecureContextOptions;
  readonly bytes: Buffer;
  readonly validTo: string;
}

/** The files hold no certificate with its key. The message is a whole sentence. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
}

const MIN_VERSION = "TLSv1.2";
const LOOK_EVERY_MS = 5_000;

/** Reads the certificate and its key. Throws: CertificateError when a file cannot be read, is no PEM, or the two do not belong together. */
export async function readServerCertificate({ certPath, keyPath }: CertificateFiles): Promise<ServerCertificate> {
  const [cert, key] = await Promise.all([readPem(certPath, "certificate"), readPem(keyPath, "key")]);
  const options: SecureContextOptions = { cert, key, minVersion: MIN_VERSION };
  try {
    createSecureContext(options);
    return { options, bytes: Buffer.concat([cert, key]), validTo: new X509Certificate(cert).validTo };
  } catch (error) {
    throw new CertificateError(`The certificate ${certPath} and the key ${keyPath} cannot be used together: ${messageOf(error)}.`);
  }
}

/**
 * Looks at the files every few seconds, and has new connections served with what they hold now; open connections go on as they are. A pair that
 * cannot be used is told of once, and the server keeps the one before. Returns the function that ends it.
 */
export function followCertificate(
  server: Pick<Server, "setSecureContext">,
  options: { readonly files: CertificateFiles; readonly first: ServerCertificate; readonly log: Log; readonly lookEveryMs?: number },
): () => void {
  const { files, log, lookEveryMs = LOOK_EVERY_MS } = options;
  let bytes = options.first.bytes;
  let told = "";
  const look = async (): Promise<void> => {
    try {
      const found = await readServerCertificate(files);
      if (found.bytes.equals(bytes)) return;
      server.setSecureContext(found.options);
      bytes = found.bytes;
      told = "";
      log.info({ event: "https.certificate", validTo: found.validTo }, "the server's certificate was renewed");
    } catch (error) {
      const reason = messageOf(error);
      // The files are written one after the other, so between the two they do not fit for a moment.
      if (reason !== told)
        log.error({ event: "https.certificate", reason }, "the server's new certificate cannot be used; the one before is kept");
      told = reason;
    }
  };
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => (looking = false));
  }, lookEveryMs).unref();
  return () => clearInterval(timer);
}

async function readPem(path: string, what: "certificate" | "key"): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CertificateError(`The server's ${what} ${path} cannot be read: ${messageOf(error)}.`);
  }
}
