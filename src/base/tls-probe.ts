import { connect as connectPlainly, type Socket } from "node:net";
import { connect, createSecureContext, type TLSSocket } from "node:tls";
import { pemOf, tlsFrom, type TlsFiles } from "./tls-files.ts";
import { systemCodeOf, tlsReason } from "./tls-reason.ts";

/** What is spoken inside: Postgres agrees on TLS in its own words first, and gRPC wants HTTP/2 named in the handshake. */
export type TlsTalk = "postgres" | "temporal" | "kafka" | "redis";

export interface TlsProbe {
  readonly host: string;
  readonly port: number;
  readonly talk: TlsTalk;
  readonly files: TlsFiles;
  /** The login that Postgres is asked for; no password is sent. */
  readonly login?: { readonly user: string; readonly database: string };
}

/** How the settings of each server begin. */
const VARIABLES: Readonly<Record<TlsTalk, string>> = { postgres: "DATABASE", temporal: "TEMPORAL", kafka: "KAFKA", redis: "REDIS" };
/** Postgres: the request for TLS, 1234.5679, in eight bytes. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const YES = "S";
const OPINION_MS = 500;

/**
 * Connects over TLS as the clients do and says why that does not come about, as half a sentence about the server; undefined when it does, or
 * when the reason is not TLS (nothing listens there). With a `login` Postgres is also asked whether it lets this certificate in.
 * Up to TLS 1.2 a server tells its opinion of the client's certificate within the handshake; that version is tried first. Never throws.
 */
export async function tlsTrouble(probe: TlsProbe, timeoutMs: number): Promise<string | undefined> {
  const first = await attempt(probe, timeoutMs, "TLSv1.2");
  if (first === undefined) return undefined;
  if (!/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/.test(first.code)) return first.reason;
  return (await attempt(probe, timeoutMs, undefined))?.reason;
}

interface Trouble {
  readonly code: string;
  readonly reason: string | undefined;
}

async function attempt(probe: TlsProbe, timeoutMs: number, maxVersion: "TLSv1.2" | undefined): Promise<Trouble | undefined> {
  let outermost: Socket | undefined;
  const explain = (error: unknown): Trouble => ({
    code: systemCodeOf(error),
    reason: error instanceof Refusal ? error.message : tlsReason(error, probe.files, VARIABLES[probe.talk]),
  });
  try {
    const plain = connectPlainly({ host: probe.host, port: probe.port });
    outermost = plain;
    await happens(plain, "connect", timeoutMs);
    if (probe.talk === "postgres") {
      plain.write(SSL_REQUEST);
      if ((await firstBytes(plain, timeoutMs)).toString("latin1", 0, 1) !== YES) throw new Refusal("it does not speak TLS");
    }
    const secure = connect({
      ...tlsFrom(probe.files, probe.host),
      socket: plain,
      ...(maxVersion === undefined ? {} : { secureContext: createSecureContext({ ...pemOf(probe.files), maxVersion }) }),
      ...(probe.talk === "temporal" ? { ALPNProtocols: ["h2"] } : {}),
    });
    outermost = secure;
    await happens(secure, "secureConnect", timeoutMs);
    if (secure.getProtocol() === "TLSv1.3") await opinionOf(secure);
    if (probe.login !== undefined) await askToLogIn(secure, probe.login, timeoutMs);
    return undefined;
  } catch (error) {
    return explain(error);
  } finally {
    // Only the outermost: it ends the one inside, and Node 20 crashes when both are destroyed.
    outermost?.on("error", () => {}).destroy();
  }
}

/** In words of our own. */
class Refusal extends Error {
  override readonly name = "Refusal";
}

/** Postgres, "invalid authorization specification": also of a client without the certificate that pg_hba.conf asks for. */
export const CERTIFICATE_REFUSED = "28000";

async function askToLogIn(socket: TLSSocket, login: { user: string; database: string }, timeoutMs: number): Promise<void> {
  const words = Buffer.from(`user\0${login.user}\0database\0${login.database}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(words.length + 8, 0);
  head.writeInt32BE(196_608, 4);
  socket.write(Buffer.concat([head, words]));
  const answer = (await firstBytes(socket, timeoutMs)).toString("utf8");
  if (answer.startsWith("E") && answer.includes(`\0C${CERTIFICATE_REFUSED}\0`))
    throw new Refusal(
      /client certificate/.test(answer)
        ? "it asks for a client certificate that is valid for the login: set DATABASE_TLS_CERT and DATABASE_TLS_KEY"
        : "it does not let this login in from here with this certificate",
    );
}

function happens(socket: Socket, event: "connect" | "secureConnect", timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(timeoutMs, () => reject(new Error("no answer in time")));
    socket.once(event, resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
  });
}

/** From TLS 1.3 on a server tells its opinion of the client's certificate after the handshake, and tells it only when that is a bad one. */
function opinionOf(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, OPINION_MS);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      settle();
    };
    socket.once("error", (error) => end(() => reject(error)));
    socket.once("close", () => end(() => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" }))));
    socket.resume();
  });
}

function firstBytes(socket: Socket, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(timeoutMs, () => reject(new Error("no answer in time")));
    socket.once("data", (chunk: Buffer) => {
      // Nothing may be read between the answer and the handshake.
      socket.pause();
      resolve(chunk);
    });
    socket.once("error", reject);
    socket.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
  });
}
