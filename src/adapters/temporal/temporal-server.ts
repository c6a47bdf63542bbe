import { DomainError } from "../../base/errors.ts";
import { parseServerAddress } from "../../base/server-address.ts";
import { pemOf } from "../../base/tls-files.ts";
import { tlsTrouble } from "../../base/tls-probe.ts";
import type { TemporalSecurity } from "../../config/server-variables.ts";

/** A Temporal as its clients find it and are let in. */
export interface TemporalServer extends TemporalSecurity {
  readonly address: string;
}

/** What both of Temporal's clients take: the one in Rust that has workers, and the one of gRPC for Node. */
export interface TemporalTarget {
  readonly address: string;
  readonly tls:
    | false
    | { readonly serverNameOverride?: string; readonly serverRootCACertificate?: Buffer; readonly clientCertPair?: CertPair };
  readonly apiKey?: string;
  readonly metadata?: Record<string, string>;
}

interface CertPair {
  readonly crt: Buffer;
  readonly key: Buffer;
}

const DEFAULT_PORT = 7233;
const PROBE_MS = 2_000;

/**
 * The server as options of a connection; every connection of the project to Temporal is made with it. The files are read now and not again:
 * the clients keep what they were given, so that a process takes a renewed certificate with its next start.
 * Throws: UNAVAILABLE when a file cannot be read.
 */
export function temporalTarget({ address, tls, apiKey, metadata }: TemporalServer): TemporalTarget {
  return {
    address,
    // Said also when there is none: a key alone would switch it on.
    tls: tls === undefined ? false : tlsOf(tls),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
  };
}

function tlsOf(files: NonNullable<TemporalServer["tls"]>): Exclude<TemporalTarget["tls"], false> {
  try {
    const { ca, cert, key } = pemOf(files);
    return {
      ...(files.serverName === undefined ? {} : { serverNameOverride: files.serverName }),
      ...(ca === undefined ? {} : { serverRootCACertificate: Buffer.from(ca) }),
      ...(cert === undefined || key === undefined ? {} : { clientCertPair: { crt: Buffer.from(cert), key: Buffer.from(key) } }),
    };
  } catch (error) {
    throw new DomainError("UNAVAILABLE", "a file of TEMPORAL_TLS cannot be read", {}, error);
  }
}

/** Why TLS towards Temporal does not come about, as half a sentence; undefined when it does, or there is none. Never throws. */
export async function temporalTlsTrouble({ address, tls }: TemporalServer, timeoutMs: number = PROBE_MS): Promise<string | undefined> {
  if (tls === undefined) return undefined;
  return await tlsTrouble({ ...parseServerAddress(address, DEFAULT_PORT), talk: "temporal", files: tls }, timeoutMs);
}
