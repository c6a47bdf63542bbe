import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { TlsFiles } from "../../src/base/tls-files.ts";
import type { ServerName } from "../../src/stack/progress.ts";
import { startStack, type SecuredServers, type Stack } from "../../src/stack/stack.ts";
import { makeThrowawayCa, type PemPair, type ThrowawayCa } from "./throwaway-ca.ts";

/** The four faults of a certificate, as the client has them. */
export type Fault = "no certificate" | "wrong authority" | "expired" | "wrong name";
export const FAULTS: readonly Fault[] = ["no certificate", "wrong authority", "expired", "wrong name"];

export interface Certificates {
  readonly ca: ThrowawayCa;
  readonly server: PemPair;
  readonly client: PemPair;
  /** What a client is told that is let in, and one that has a fault. */
  filesOf(fault?: Fault): TlsFiles;
}

const HERE = ["localhost", "127.0.0.1"];

/** Makes an authority, a certificate of the servers and one of the clients, and those that are no good. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  mkdirSync(folder, { recursive: true });
  const ca = await makeThrowawayCa(folder);
  const stranger = await makeThrowawayCa(folder, "stranger");
  const server = await ca.issue("server", { commonName: "localhost", names: HERE });
  const client = await ca.issue("client", { commonName: "saldo" });
  const expired = await ca.issue("expired", {
    commonName: "saldo",
    notBefore: new Date("2024-01-01T00:00:00Z"),
    notAfter: new Date("2024-02-01T00:00:00Z"),
  });
  const good: TlsFiles = { ca: ca.ca, ...client };
  const faulty: Record<Fault, TlsFiles> = {
    "no certificate": { ca: ca.ca },
    "wrong authority": { ...good, ca: stranger.ca },
    expired: { ca: ca.ca, ...expired },
    "wrong name": { ...good, serverName: "other.example" },
  };
  return { ca, server, client, filesOf: (fault) => (fault === undefined ? good : faulty[fault]) };
}

/** Starts servers that let in only clients with a certificate of the authority. The caller stops them. */
export function startSecuredStack(options: {
  readonly certificates: Certificates;
  readonly servers: readonly ServerName[];
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly secured?: Partial<SecuredServers>;
  readonly onKillable?: ((kill: () => void) => void) | undefined;
}): Promise<Stack> {
  const { certificates, servers, dataDir, cacheDir } = options;
  const one = { files: { ca: certificates.ca.ca, ...certificates.server }, client: certificates.filesOf() };
  return startStack({
    servers,
    required: servers,
    dataDir: join(dataDir, "servers"),
    cacheDir,
    ephemeral: true,
    ports: "free",
    onKillable: options.onKillable,
    secured: { postgres: one, temporal: one, kafka: one, redis: one, ...options.secured },
  });
}

/** The variables by which Saldo is pointed at those servers, with the files of one fault, or of none. */
export function variablesOf(stack: Stack, { filesOf }: Certificates, fault?: Fault): Record<string, string> {
  const addresses = {
    DATABASE_URL: withoutQuery(stack.postgres?.appUrl),
    DATABASE_ADMIN_URL: withoutQuery(stack.postgres?.adminUrl),
    TEMPORAL_ADDRESS: stack.temporal?.address,
    KAFKA_BROKERS: stack.kafka?.brokers.join(","),
    REDIS_URL: stack.redis?.url.replace("rediss:", "redis:"),
  };
  const { ca, cert, key, serverName } = filesOf(fault);
  const servers = Object.entries({ DATABASE: "postgres", TEMPORAL: "temporal", KAFKA: "kafka", REDIS: "redis" } as const);
  const tls = servers
    .filter(([, server]) => stack[server] !== undefined)
    .flatMap(([name]) => [
      [`${name}_TLS`, "on"],
      [`${name}_TLS_CA`, ca],
      [`${name}_TLS_CERT`, cert],
      [`${name}_TLS_KEY`, key],
      [`${name}_TLS_SERVER_NAME`, serverName],
    ]);
  const all = [...Object.entries(addresses), ...tls];
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function withoutQuery(url: string | undefined): string | undefined {
  return url?.split("?")[0];
}
