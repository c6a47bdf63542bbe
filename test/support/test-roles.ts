import { join, relative } from "node:path";
import { PROJECT_DIR, ROLE_ENTRIES, type RoleEntries } from "../../src/cli/start/role-entries.ts";
import { inheritedEnvironment } from "../../src/config.ts";
import { superviseRole, type RoleEvent, type SupervisedRole } from "../../src/stack/processes/supervisor.ts";

/** The addresses of the servers that the roles use. */
export interface RoleServers {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  readonly kafkaBrokers: readonly string[];
}

/** The environment of roles over these servers, without Redis; `settings` are variables of the configuration. */
export function roleSettings(
  servers: RoleServers,
  options: { readonly dataDir: string; readonly settings?: Readonly<Record<string, string>> },
): Readonly<Record<string, string | undefined>> {
  return {
    ...inheritedEnvironment(),
    NODE_ENV: "production",
    // A production plays its provider by this name only; with PSP_URL in `settings` that one is asked.
    PSP_KIND: "simulator",
    DATABASE_URL: servers.databaseUrl,
    TEMPORAL_ADDRESS: servers.temporalAddress,
    TEMPORAL_NAMESPACE: servers.temporalNamespace,
    KAFKA_BROKERS: servers.kafkaBrokers.join(","),
    REDIS_URL: "",
    DATA_DIR: options.dataDir,
    ...options.settings,
  };
}

/** Runs a role as a process of its own, under its own name, and starts it again soon when it dies. */
export function startTestRole(options: {
  readonly role: keyof RoleEntries;
  readonly name: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly dataDir: string;
  readonly onEvent?: (event: RoleEvent) => void;
  /** The folder of another release that the role is run of, with its own node_modules. */
  readonly projectDir?: string;
}): SupervisedRole {
  const projectDir = options.projectDir ?? PROJECT_DIR;
  return superviseRole(
    {
      name: options.name,
      command: process.execPath,
      args: ["--enable-source-maps", "--import", "tsx", join(projectDir, relative(PROJECT_DIR, ROLE_ENTRIES[options.role]))],
      environment: options.environment,
      cwd: projectDir,
      graceMs: ROLE_GRACE_MS,
    },
    {
      dataDir: options.dataDir,
      times: { maxBackoffMs: 1_000, healthyAfterMs: 500 },
      ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    },
  );
}

/** How long a role may take to end after SIGTERM. */
export const ROLE_GRACE_MS = 15_000;
