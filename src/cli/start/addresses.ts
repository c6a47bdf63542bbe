import { urlHost } from "../../base/url-host.ts";
import type { Config } from "../../config.ts";
import { isPspUrlUnused } from "../../config/psp-settings.ts";
import { readOrCreateSecret } from "../../stack/secrets.ts";
import { StackError } from "../../stack/stack-error.ts";
import type { Stack } from "../../stack/stack.ts";
import type { RolePorts } from "./plan-ports.ts";
import type { PspAddress, RoleAddresses } from "./roles.ts";

/** The addresses of the servers that run and of the roles that will. Throws: SERVER_FAILED without Postgres or Temporal. */
export function addressesOf(stack: Stack, config: Config, { pspPort, ...ports }: RolePorts): RoleAddresses {
  const { postgres, temporal } = stack;
  if (postgres === undefined || temporal === undefined) throw new StackError("SERVER_FAILED", "Postgres and Temporal are needed.");
  return {
    databaseUrl: postgres.appUrl,
    databaseAdminUrl: postgres.adminUrl,
    temporalAddress: temporal.address,
    temporalNamespace: config.TEMPORAL_NAMESPACE,
    kafkaBrokers: stack.kafka?.brokers,
    redisUrl: stack.redis?.url,
    ...ports,
    psp: pspAddressOf(config, stack.dataDir, pspPort),
  };
}

function pspAddressOf(config: Config, dataDir: string, port: number): PspAddress | undefined {
  if (isPspUrlUnused(config.PSP_KIND)) return undefined;
  if (config.PSP_URL !== undefined) return { url: config.PSP_URL, apiKey: config.PSP_API_KEY ?? "" };
  const apiKey = config.PSP_API_KEY ?? readOrCreateSecret(dataDir, "psp-api-key");
  return { url: `http://${urlHost(config.PSP_HOST)}:${port}`, apiKey, port };
}
