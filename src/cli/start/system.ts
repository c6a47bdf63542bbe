import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { keysDirOf } from "../../../workers/parts/open-identity.ts";
import { unlessAborted } from "../../base/aborted.ts";
import type { Config } from "../../config.ts";
import { kafkaSecurity, temporalSecurity } from "../../config/server-variables.ts";
import { makeDataDir } from "../../stack/data-dir.ts";
import type { ServerEvent } from "../../stack/processes/keep-server.ts";
import { clearLeftovers } from "../../stack/processes/leftovers.ts";
import type { RoleEvent, RoleSpec, SupervisedRole } from "../../stack/processes/supervisor.ts";
import { EPHEMERAL_PREFIX, markKept } from "../../stack/processes/throw-away.ts";
import { removeRunning, writeRunning } from "../../stack/running.ts";
import { StackError, sentenceOf } from "../../stack/stack-error.ts";
import { startStack, type Stack, type StackOptions } from "../../stack/stack.ts";
import { addressesOf } from "./addresses.ts";
import { planPorts, wantedPorts, type RolePorts } from "./plan-ports.ts";
import { prepareKeys, prepareServers, type SystemSteps } from "./prepare-servers.ts";
import type { RoleEntries } from "./role-entries.ts";
import { roleEnvironment, rolesFor } from "./roles.ts";
import { pidsOf, runningNote, type RunningSystem } from "./running-note.ts";
import { createStepRunner, lineOfServer, superviseOnChecklist } from "./start-progress.ts";
import type { ChecklistLine } from "./terminal-checklist.ts";
import { keepInUse } from "./unused-roles.ts";

export type SystemOptions = {
  readonly config: Config;
  /** The environment that the roles inherit. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly ephemeral: boolean;
  readonly entries: RoleEntries;
  readonly steps: SystemSteps;
  readonly onStep?: (line: ChecklistLine) => void;
  /** What becomes of a role after the start: it died, it runs again. */
  readonly onRoleEvent?: (event: RoleEvent) => void;
  /** What becomes of a server after the start: it ended and is started again, it runs again. */
  readonly onServerEvent?: (event: ServerEvent) => void;
  readonly onRoleOutput?: (role: string, chunk: string) => void;
  /** Given the function that kills servers and roles at once, for the last moment of this process. */
  readonly onKillable?: (kill: () => void) => void;
  readonly signal?: AbortSignal;
};

export type System = {
  readonly stack: Stack;
  readonly running: RunningSystem;
  /** Roles that were not started, each with the reason in a sentence. */
  readonly notStarted: readonly string[];
  /** Stops the roles, intake first, then the servers that this start has started. Safe to retry. */
  stop(): Promise<void>;
};

/** The folders of a system, as absolute paths. */
interface Folders {
  /** The configured data folder. The note about the running system lies here also when the data is thrown away: other commands look here. */
  readonly configuredDir: string;
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly keysDir: string;
}

/**
 * Brings up the whole system: servers, migrations, topics, schedules, roles. Everything runs when it returns.
 * Throws: StackError, after what was started is stopped again.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { config, signal } = options;
  const onStep = options.onStep ?? (() => undefined);
  const folders = await prepareFolders(config, options.ephemeral);
  const { configuredDir, dataDir, cacheDir, keysDir } = folders;
  const ports = await planPorts(config);
  const step = createStepRunner(onStep);
  const bundle = step(
    "Workflow bundle",
    "building",
    () => options.steps.buildWorkflowBundle(cacheDir),
    () => "built",
  );
  bundle.catch(() => undefined);
  const compiled = step(
    "Roles",
    "compiling",
    () => options.steps.compileRoles(options.entries, cacheDir),
    () => "compiled",
  );
  compiled.catch(() => undefined);
  // Begun while the servers start: the first key of a folder takes longer than all other steps.
  let keys: Promise<unknown> = Promise.resolve();
  const afterKeys = () => keys.catch(() => undefined);
  const stack = await startStack({
    ...stackOptionsOf(options, folders, ports),
    onClaimed: () => {
      keys = prepareKeys(options.steps, step, keysDir);
    },
  }).catch(async (error: unknown) => {
    await afterKeys();
    if (options.ephemeral) rmSync(dataDir, { recursive: true, force: true });
    throw error;
  });
  const roles: SupervisedRole[] = [];
  let letGo = (): void => undefined;
  let stopping: Promise<void> | undefined;
  const stop = () =>
    (stopping ??= (async () => {
      removeRunning(configuredDir);
      letGo();
      await Promise.all([stopRoles(roles), afterKeys()]);
      await stack.stop();
    })());

  try {
    const addresses = addressesOf(stack, config, ports);
    const abortable = <T>(work: Promise<T>) =>
      signal === undefined ? work : unlessAborted(work, signal, () => new StackError("STOPPED", "The start was stopped."));
    const preparation = prepareServers(options.steps, step, { addresses, keys });
    const bundlePath = await abortable(bundle);
    const reportsDir = config.REPORTS_DIR ?? join(dataDir, "reports");
    mkdirSync(reportsDir, { recursive: true, mode: 0o700 });
    const environment = roleEnvironment(options.environment, addresses, { dataDir, cacheDir, bundlePath, reportsDir, keysDir });
    const entries = await abortable(compiled);
    letGo = keepInUse(entries);
    const plan = rolesFor({ entries, addresses, environment, host: config.HTTP_HOST, https: config.HTTP_TLS_CERT !== undefined });
    let note: (() => void) | undefined;
    const onRoleEvent = (event: RoleEvent) => {
      if (event.state === "ready" && stopping === undefined) note?.();
      options.onRoleEvent?.(event);
    };
    const startRoles = async (specs: readonly RoleSpec[], needed: Promise<unknown>) => {
      await abortable(needed);
      // Another step has failed meanwhile: what starts now would be stopped by nobody.
      if (stopping !== undefined) return;
      const started = specs.map((spec) => superviseOnChecklist(spec, { dataDir, onStep, onRoleEvent, onRoleOutput: options.onRoleOutput }));
      roles.push(...started);
      await abortable(Promise.all(started.map((role) => role.ready)));
    };
    const needsTopics = ({ name }: RoleSpec) => name === "bridge" || name === "relay";
    await Promise.all([
      startRoles(
        plan.roles.filter((spec) => !needsTopics(spec)),
        preparation.books,
      ),
      startRoles(plan.roles.filter(needsTopics), Promise.all([preparation.books, preparation.topics])),
      abortable(preparation.all),
    ]);
    const running = runningNote({ stack, config, addresses, roles, keysDir });
    note = () => writeRunning(configuredDir, { ...running, roles: pidsOf(roles) });
    note();
    return { stack, running, notStarted: plan.notStarted, stop };
  } catch (error) {
    await stop();
    throw error instanceof StackError ? error : new StackError("SERVER_FAILED", sentenceOf(error));
  }
}

async function prepareFolders(config: Config, ephemeral: boolean): Promise<Folders> {
  const configuredDir = resolve(config.DATA_DIR);
  const dataDir = ephemeral ? join(tmpdir(), `${EPHEMERAL_PREFIX}${process.pid}`) : configuredDir;
  makeDataDir(configuredDir);
  if (!ephemeral) markKept(configuredDir);
  await clearLeftovers();
  return { configuredDir, dataDir, cacheDir: resolve(config.CACHE_DIR), keysDir: keysDirOf({ ...config, DATA_DIR: dataDir }) };
}

function stackOptionsOf(options: SystemOptions, { dataDir, cacheDir }: Folders, ports: RolePorts): StackOptions {
  const { config, ephemeral } = options;
  return {
    servers: ["postgres", "temporal", "kafka", "redis"],
    dataDir,
    cacheDir,
    ephemeral,
    ports: {
      postgres: config.POSTGRES_PORT,
      temporal: config.TEMPORAL_PORT,
      temporalUi: config.TEMPORAL_UI_PORT,
      kafka: config.KAFKA_PORT,
      redis: config.REDIS_PORT,
    },
    external: {
      databaseUrl: config.DATABASE_URL,
      databaseAdminUrl: config.DATABASE_ADMIN_URL,
      temporalAddress: config.TEMPORAL_ADDRESS,
      temporalTls: temporalSecurity(config).tls,
      kafkaBrokers: config.KAFKA_BROKERS?.split(",").map((broker) => broker.trim()),
      kafkaTls: kafkaSecurity(config).tls,
      redisUrl: config.REDIS_URL,
    },
    otherPorts: wantedPorts(config, ports),
    onProgress: (event) => options.onStep?.(lineOfServer(event)),
    onServerEvent: options.onServerEvent,
    onKillable: options.onKillable,
    signal: options.signal,
  };
}

async function stopRoles(roles: readonly SupervisedRole[]): Promise<void> {
  const stopAll = (names: readonly string[]) => Promise.all(roles.filter((role) => names.includes(role.name)).map((role) => role.stop()));
  // Intake first: no new work comes in while the other roles finish the work they have.
  await stopAll(["bridge", "api"]);
  await stopAll(["worker", "relay"]);
  // The provider last: payments under way may still ask it.
  await stopAll(["psp"]);
}
