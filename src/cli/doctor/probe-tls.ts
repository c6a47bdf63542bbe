import { tlsTroubles } from "../../../workers/parts/tls-troubles.ts";
import { certificateEnd } from "../../base/tls-reason.ts";
import type { Config } from "../../config.ts";
import { tlsOfServers } from "../../config/server-variables.ts";
import type { Facts } from "./diagnosis.ts";

const DEADLINE_MS = 3_000;
const TITLES = { postgres: "Postgres", temporal: "Temporal", kafka: "Kafka", redis: "Redis" } as const;

/** Speaks to each configured server that has TLS, and looks when our own certificate for it ends. Never throws. */
export async function probeTls(config: Config): Promise<NonNullable<Facts["tls"]>> {
  const troubles = tlsTroubles(config, DEADLINE_MS);
  const { DATABASE: postgres, TEMPORAL: temporal, KAFKA: kafka, REDIS: redis } = tlsOfServers(config);
  const files = { postgres, temporal, kafka, redis };
  const names = (Object.keys(TITLES) as (keyof typeof TITLES)[]).filter((name) => troubles[name] !== undefined);
  return await Promise.all(
    names.map(async (name) => {
      const cert = files[name]?.cert;
      return { server: TITLES[name], trouble: await troubles[name]?.(), endsAt: cert === undefined ? undefined : certificateEnd(cert) };
    }),
  );
}
