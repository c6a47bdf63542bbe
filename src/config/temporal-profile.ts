import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { loadClientConfigProfile } from "@temporalio/envconfig";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Temporal's own tools keep their profiles. */
const OWN_FILE: Readonly<Record<string, string>> = {
  darwin: "Library/Application Support/temporalio/temporal.toml",
  linux: ".config/temporalio/temporal.toml",
};

/**
 * The profile of Temporal's own tools that TEMPORAL_CONFIG_FILE or TEMPORAL_PROFILE names, as variables of Saldo. A variable that is set
 * wins over the profile's own, one by one: naming only the address keeps the profile's TLS and key. Without both of them no profile is read:
 * the one that a person uses for another cluster does not become Saldo's.
 * Throws: Error, in words, for a profile that cannot be read or that switches the check of the server's name off.
 */
export function temporalProfileVariables(environment: Environment): Record<string, string> {
  const { TEMPORAL_CONFIG_FILE: named, TEMPORAL_PROFILE: profile } = environment;
  if (named === undefined && profile === undefined) return {};
  const path = named ?? join(homedir(), OWN_FILE[process.platform] ?? ".config/temporalio/temporal.toml");
  const content = readFileSync(path, "utf8");
  // The client's reader takes this setting and then leaves it aside.
  if (/^\s*disable_host_verification\s*=\s*true/m.test(content))
    throw new Error("disable_host_verification is not taken: the server's name is always checked");
  const found = loadClientConfigProfile({
    configSource: { data: Buffer.from(content) },
    disableEnv: true,
    ...(profile === undefined ? {} : { profile }),
  });
  const { tls } = found;
  const variables: Record<string, string | undefined> = {
    TEMPORAL_ADDRESS: found.address,
    TEMPORAL_NAMESPACE: found.namespace,
    TEMPORAL_API_KEY: found.apiKey,
    ...(found.grpcMeta === undefined || Object.keys(found.grpcMeta).length === 0
      ? {}
      : { TEMPORAL_METADATA: JSON.stringify(found.grpcMeta) }),
    ...(tls?.disabled === true ? { TEMPORAL_TLS: "off" } : {}),
    ...(tls === undefined || tls.disabled === true
      ? {}
      : {
          TEMPORAL_TLS: "on",
          TEMPORAL_TLS_CA: fileOrText(tls.serverCACert),
          TEMPORAL_TLS_CERT: fileOrText(tls.clientCert),
          TEMPORAL_TLS_KEY: fileOrText(tls.clientKey),
          TEMPORAL_TLS_SERVER_NAME: tls.serverName,
        }),
  };
  return Object.fromEntries(Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function fileOrText(source: { path: string } | { data: string | Uint8Array } | undefined): string | undefined {
  if (source === undefined) return undefined;
  return "path" in source ? source.path : Buffer.from(source.data as Uint8Array).toString("utf8");
}
