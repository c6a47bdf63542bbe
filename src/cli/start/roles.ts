import { request } from "node:https";
import { fileURLToPath } from "node:url";
import { urlHost } from "../../base/url-host.ts";
import { SERVER_VARIABLES } from "../../config/server-variables.ts";
import type { RoleSpec } from "../../stack/processes/supervisor.ts";
import { PROJECT_DIR, type RoleEntries } from "./role-entries.ts";

/** What the threads that run workflows load first (the file says why). */
const LEAN_WORKFLOW_THREADS = fileURLToPath(new URL("../../../workers/lean-workflow-threads.cjs", import.meta.url));
const RUNS_WORKFLOWS: ReadonlySet<keyof RoleEntries> = new Set(["api", "worker", "bridge"]);

export type RoleAddresses = {
  readonly databaseUrl: string;
  readonly databaseAdminUrl: string;
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  readonly kafkaBrokers: readonly string[] | undefined;
  readonly redisUrl: string | undefined;
  readonly apiPort: number;
  readonly purchasesPort: number;
  /** Without it the provider is one that is asked at an address of its own: Stripe. */
  readonly psp: PspAddress | undefined;
  /** The ports at which these roles serve their metrics. */
  readonly metricsPorts: Readonly<Record<MeasuredRole, number>>;
};

/** The roles that serve their metrics on a port of their own. The api serves its metrics beside its routes. */
export const MEASURED_ROLES = ["worker", "bridge", "relay"] as const;
export type MeasuredRole = (typeof MEASURED_ROLES)[number];

/** The address of the payment provider. With `port` it is the simulator, which runs as a role. */
export type PspAddress = { readonly url: string; readonly apiKey: string; readonly port?: number };

type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of every role: the inherited one with the addresses of the servers and roles. The superuser's address is not in it. */
export function roleEnvironment(
  inherited: Environment,
  addresses: RoleAddresses,
  paths: { dataDir: string; cacheDir: string; bundlePath: string; reportsDir: string; keysDir: string },
): Environment {
  return {
    ...inherited,
    DATABASE_ADMIN_URL: undefined,
    DATABASE_URL: addresses.databaseUrl,
    TEMPORAL_ADDRESS: addresses.temporalAddress,
    TEMPORAL_NAMESPACE: addresses.temporalNamespace,
    KAFKA_BROKERS: addresses.kafkaBrokers?.join(",") ?? "",
    REDIS_URL: addresses.redisUrl ?? "",
    HTTP_PORT: String(addresses.apiPort),
    PURCHASES_PORT: String(addresses.purchasesPort),
    PSP_URL: addresses.psp?.url,
    PSP_API_KEY: addresses.psp?.apiKey,
    // A provider that is played says so, wherever it is named.
    ...(addresses.psp?.port === undefined ? {} : { PSP_KIND: "simulator" }),
    DATA_DIR: paths.dataDir,
    CACHE_DIR: paths.cacheDir,
    REPORTS_DIR: paths.reportsDir,
    AUTH_KEYS_DIR: paths.keysDir,
    SALDO_TOKEN: undefined,
    WORKFLOW_BUNDLE_PATH: paths.bundlePath,
    LOG_PRETTY: "false",
    METRICS_PORT: undefined,
    KAFKAJS_NO_PARTITIONER_WARNING: "1",
  };
}

/** The roles that run with the servers there are, and a sentence about those that do not. */
export function rolesFor(input: {
  entries: RoleEntries;
  addresses: RoleAddresses;
  environment: Environment;
  host: string;
  https?: boolean;
}): {
  roles: RoleSpec[];
  notStarted: string[];
} {
  const { entries, addresses } = input;
  const role = (name: keyof RoleEntries, graceMs: number): RoleSpec => ({
    name,
    command: process.execPath,
    args: [
      ...(entries[name].endsWith(".cjs") ? ["--enable-source-maps"] : ["--import", "tsx"]),
      ...(RUNS_WORKFLOWS.has(name) ? ["--require", LEAN_WORKFLOW_THREADS] : []),
      entries[name],
    ],
    environment: input.environment,
    cwd: PROJECT_DIR,
    graceMs,
  });
  const api: RoleSpec = {
    ...role("api", 15_000),
    isReady: () => (input.https === true ? answersReadyByTls : answersReady)(`${urlHost(input.host)}:${addresses.apiPort}/readyz`),
  };
  const simulatorPort = addresses.psp?.port;
  const psp = (port: number): RoleSpec => ({ ...role("psp", 5_000), environment: pspEnvironment(input.environment, port) });
  const measured = (name: MeasuredRole, graceMs: number): RoleSpec => ({
    ...role(name, graceMs),
    environment: { ...input.environment, METRICS_PORT: String(addresses.metricsPorts[name]) },
  });
  const always = [...(simulatorPort === undefined ? [] : [psp(simulatorPort)]), measured("worker", 20_000), api];
  if (addresses.kafkaBrokers !== undefined)
    return { roles: [...always, measured("bridge", 15_000), measured("relay", 15_000)], notStarted: [] };
  return {
    roles: always,
    notStarted: ["Without Kafka the roles bridge and relay are not started: events are not read, and those to publish wait in the outbox."],
  };
}

// The simulator stands for a foreign provider, which knows none of Saldo's addresses.
function pspEnvironment(inherited: Environment, port: number): Environment {
  return {
    ...inherited,
    PSP_PORT: String(port),
    TEMPORAL_PAYLOAD_KEYS: undefined,
    TEMPORAL_PAYLOAD_KEYS_FILE: undefined,
    TEMPORAL_PAYLOAD_ENCRYPTION: undefined,
    AUTH_KEYS_DIR: undefined,
    DATABASE_URL: undefined,
    REDIS_URL: undefined,
    KAFKA_BROKERS: undefined,
    TEMPORAL_ADDRESS: undefined,
    TEMPORAL_CONFIG_FILE: undefined,
    TEMPORAL_PROFILE: undefined,
    ...Object.fromEntries(Object.keys(SERVER_VARIABLES).map((name) => [name, undefined])),
  };
}

async function answersReady(place: string): Promise<boolean> {
  const response = await fetch(`http://${place}`, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.status === 200;
}

// The address is this machine's own, which the certificate does not have to name, and nothing is sent to it.
function answersReadyByTls(place: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asking = request(`https://${place}`, { rejectUnauthorized: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asking.once("error", reject);
    asking.once("timeout", () => asking.destroy(new Error("no answer in time")));
    asking.end();
  });
}
