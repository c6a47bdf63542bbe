import { X509Certificate } from "node:crypto";
import { PemError, readPem, type TlsFiles } from "./tls-files.ts";

const NOT_KNOWN = [
  /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT|CERT_UNTRUSTED/,
  "its certificate is not signed by an authority of _TLS_CA",
] as const;
/** By the code of Node's error: what is wrong with the server's certificate, as this client sees it. */
const SERVER_FAULTS: readonly (readonly [RegExp, string])[] = [
  NOT_KNOWN,
  [/^CERT_HAS_EXPIRED$/, "its certificate has expired"],
  [/^CERT_NOT_YET_VALID$/, "its certificate is not valid yet"],
];
/** By the alert in the code of Node's error: what the server says of this client's certificate. Java says `unknown` of most. */
const CLIENT_FAULTS: readonly (readonly [RegExp, string])[] = [
  [/ALERT_UNKNOWN_CA$/, "it does not know the authority that signed the certificate of _TLS_CERT"],
  [/ALERT_CERTIFICATE_EXPIRED$/, "it says that the certificate of _TLS_CERT has expired"],
  [/ALERT_CERTIFICATE_REVOKED$/, "it says that the certificate of _TLS_CERT is revoked"],
  [
    /ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE|DECRYPT_ERROR|ACCESS_DENIED)$/,
    "it does not accept the certificate of _TLS_CERT",
  ],
];
const NO_COMMON_TERMS = /ALERT_(?:PROTOCOL_VERSION|HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY|ILLEGAL_PARAMETER|INTERNAL_ERROR)$/;
const NOT_TLS = /ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)|^EPROTO$/;
const CLOSED = /^(?:ECONNRESET|EPIPE|ERR_SOCKET_CLOSED)$/;

/**
 * Why a TLS connection did not come about, as half a sentence about the server; undefined for an error that is none of TLS.
 * `variables` is how the server's settings begin, such as `KAFKA`. The words hold no address and nothing of a file's content.
 */
export function tlsReason(error: unknown, files: TlsFiles, variables: string): string | undefined {
  const code = systemCodeOf(error);
  const named = (words: string) => words.replaceAll(/(?<![A-Z])_TLS_/g, `${variables}_TLS_`);
  if (error instanceof PemError) return named(error.message);
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return named(wrongName(error));
  const ofServer = SERVER_FAULTS.find(([pattern]) => pattern.test(code));
  if (ofServer !== undefined)
    return named(
      ofServer === NOT_KNOWN && files.ca === undefined
        ? "its certificate is not signed by an authority of Node's list: name yours in _TLS_CA"
        : ofServer[1],
    );
  if (/^ERR_OSSL_|KEY_VALUES_MISMATCH|NO_START_LINE|BAD_DECRYPT/.test(code))
    return named("_TLS_CERT and _TLS_KEY are not a certificate and its key");
  const isAlert = /ALERT_/.test(code);
  if (!isAlert && !CLOSED.test(code)) return NOT_TLS.test(code) ? "it does not speak TLS at this port" : undefined;
  if (files.cert === undefined && (isAlert || CLOSED.test(code)))
    return /CERTIFICATE|HANDSHAKE_FAILURE/.test(code) || CLOSED.test(code)
      ? named("it asks for a client certificate: set _TLS_CERT and _TLS_KEY")
      : "it does not agree on a way to encrypt";
  const expired = expiryOf(files);
  if (expired !== undefined) return named(`the certificate of _TLS_CERT has expired on ${expired}`);
  const ofClient = CLIENT_FAULTS.find(([pattern]) => pattern.test(code));
  if (ofClient !== undefined) return named(ofClient[1]);
  if (NO_COMMON_TERMS.test(code)) return "it does not agree on a way to encrypt";
  return "it closes the connection before TLS is agreed on";
}

/** The day on which this client's certificate ended, when it did. */
function expiryOf({ cert }: TlsFiles): string | undefined {
  if (cert === undefined) return undefined;
  const endsAt = certificateEnd(cert);
  return endsAt !== undefined && endsAt.getTime() < Date.now() ? endsAt.toISOString().slice(0, 10) : undefined;
}

/** When the first certificate of a file ends; undefined for a file without one. */
export function certificateEnd(file: string): Date | undefined {
  try {
    return new Date(new X509Certificate(readPem(file)).validTo);
  } catch {
    return undefined;
  }
}

function wrongName(error: unknown): string {
  const names = (error as { cert?: { subjectaltname?: string } }).cert?.subjectaltname;
  return `its certificate is for another name${names === undefined ? "" : ` (${names})`}: set _TLS_SERVER_NAME if that is right`;
}

/** The code of an error of Node, or of its cause; empty without one. */
export function systemCodeOf(error: unknown): string {
  const { code, cause } = (typeof error === "object" && error !== null ? error : {}) as { code?: unknown; cause?: unknown };
  if (typeof code === "string") return code;
  return cause === undefined ? "" : systemCodeOf(cause);
}
