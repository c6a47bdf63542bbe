import { urlHost } from "../../base/url-host.ts";
import type { Config } from "../../config.ts";
import type { SupervisedRole } from "../../stack/processes/supervisor.ts";
import type { Running } from "../../stack/running.ts";
import type { Stack } from "../../stack/stack.ts";
import { MEASURED_ROLES, type RoleAddresses } from "./roles.ts";

/** A system that runs, without the process that started it. */
export type RunningSystem = Omit<Running, "pid" | "identity">;

/** The note about a system that runs, by which other commands find it. */
export function runningNote(parts: {
  readonly stack: Stack;
  readonly config: Config;
  readonly addresses: RoleAddresses;
  readonly roles: readonly SupervisedRole[];
  readonly keysDir: string;
}): RunningSystem {
  const { stack, config, addresses, roles, keysDir } = parts;
  const host = urlHost(config.HTTP_HOST);
  const scheme = config.HTTP_TLS_CERT === undefined ? "http" : "https";
  return {
    startedAt: new Date().toISOString(),
    databaseUrl: addresses.databaseUrl,
    databaseAdminUrl: addresses.databaseAdminUrl,
    temporalAddress: addresses.temporalAddress,
    temporalBinary: stack.temporal?.binary,
    temporalUiUrl: stack.temporal?.uiUrl,
    kafkaBrokers: addresses.kafkaBrokers,
    redisUrl: addresses.redisUrl,
    apiUrl: `${scheme}://${host}:${addresses.apiPort}`,
    purchasesUrl: `${scheme}://${host}:${addresses.purchasesPort}`,
    pspUrl: addresses.psp?.url,
    pspApiKey: addresses.psp?.apiKey,
    keysDir,
    metricsUrls: metricsUrlsOf(config, addresses, roles),
    logDir: stack.logDir,
    roles: pidsOf(roles),
  };
}

/** The process of each role at this moment. */
export function pidsOf(roles: readonly SupervisedRole[]): Running["roles"] {
  return roles.map((role) => ({ name: role.name, pid: role.pid() }));
}

function metricsUrlsOf(config: Config, { metricsPorts }: RoleAddresses, roles: readonly SupervisedRole[]): Record<string, string> {
  const host = urlHost(config.METRICS_HOST);
  const started = MEASURED_ROLES.filter((name) => roles.some((role) => role.name === name));
  return Object.fromEntries(started.map((name) => [name, `http://${host}:${metricsPorts[name]}/metrics`]));
}
