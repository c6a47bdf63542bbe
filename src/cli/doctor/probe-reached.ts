import { hostAndPort, untilReachable } from "../../adapters/reachable.ts";
import { messageOf } from "../../base/errors.ts";
import { urlHost } from "../../base/url-host.ts";
import type { Config } from "../../config.ts";
import { isPspUrlUnused } from "../../config/psp-settings.ts";
import type { Running } from "../../stack/running.ts";
import type { Facts } from "./diagnosis.ts";

const DEADLINE_MS = 2_000;

/**
 * Whether the payment provider, of the configuration or of the running system, and the servers of the running system take connections.
 * Stripe is not asked: it does not serve probes. Shows hosts and ports, never a password. Never throws.
 */
export async function probeReached(
  config: Pick<Config, "PSP_URL" | "PSP_KIND">,
  running: Running | undefined,
): Promise<NonNullable<Facts["reached"]>> {
  // PSP_URL says nothing where another provider is named.
  const pspUrl = isPspUrlUnused(config.PSP_KIND) ? undefined : (config.PSP_URL ?? running?.pspUrl);
  const servers: readonly (readonly [string, string | undefined])[] = [
    ["Payment provider", pspUrl],
    ["Postgres that runs", running?.databaseUrl],
    ["Temporal that runs", running?.temporalAddress],
    ["Kafka that runs", running?.kafkaBrokers?.[0]],
    ["Redis that runs", running?.redisUrl],
  ];
  const known = servers.filter((each): each is readonly [string, string] => each[1] !== undefined);
  return await Promise.all(
    known.map(async ([server, url]) => {
      const { host, port } = hostAndPort(url);
      const trouble = await untilReachable({ host, port }, DEADLINE_MS).then(() => undefined, messageOf);
      return { server, address: `${urlHost(host)}:${port}`, trouble };
    }),
  );
}
