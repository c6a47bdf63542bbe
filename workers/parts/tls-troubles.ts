import { loginOfPostgresUrl } from "../../src/base/postgres-url.ts";
import { parseServerAddress } from "../../src/base/server-address.ts";
import { tlsTrouble, type TlsTalk } from "../../src/base/tls-probe.ts";
import type { Config } from "../../src/config.ts";
import { tlsOfServers } from "../../src/config/server-variables.ts";

/**
 * For each configured server with TLS: says why TLS towards it does not come about, as half a sentence; undefined when it does. None of them
 * takes longer than a few times `deadlineMs` or throws.
 */
export function tlsTroubles(config: Config, deadlineMs: number): Partial<Record<TlsTalk, () => Promise<string | undefined>>> {
  const { DATABASE, TEMPORAL, KAFKA, REDIS } = tlsOfServers(config);
  const troubleOf = (talk: TlsTalk, address: string | undefined, defaultPort: number, files: typeof DATABASE) =>
    files === undefined || address === undefined
      ? undefined
      : () => tlsTrouble({ ...parseServerAddress(address, defaultPort), talk, files, ...loginOf(talk, address) }, deadlineMs);
  const found = {
    postgres: troubleOf("postgres", config.DATABASE_URL, 5432, DATABASE),
    temporal: troubleOf("temporal", config.TEMPORAL_ADDRESS, 7233, TEMPORAL),
    kafka: troubleOf("kafka", config.KAFKA_BROKERS?.split(",")[0]?.trim(), 9092, KAFKA),
    redis: troubleOf("redis", config.REDIS_URL, 6379, REDIS),
  };
  return Object.fromEntries(Object.entries(found).filter(([, probe]) => probe !== undefined));
}

function loginOf(talk: TlsTalk, address: string): { login?: { user: string; database: string } } {
  return talk === "postgres" ? { login: loginOfPostgresUrl(address) } : {};
}
