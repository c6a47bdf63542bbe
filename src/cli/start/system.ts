import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { keysDirOf } from "../../../workers/parts/open-identity.ts";
import { unlessAborted } from "../../base/aborted.ts";
import type { Config } from "../../config.ts";
import { makeDataDir } from "../../stack/data-dir.ts";
import { freePort } from "../../stack/free-port.ts";
import { clearAbandoned } from "../../stack/processes/abandoned.ts";
import type { ServerEvent } from "../../stack/processes/keep-server.ts";
import { superviseRole, type RoleEvent, type SupervisedRole } from "../../stack/processes/supervisor.ts";
import { serverTitle, type ServerProgress } from "../../stack/progress.ts";
import { removeRunning, writeRunning, type Running } from "../../stack/running.ts";
import { readOrCreateSecret } from "../../stack/secrets.ts";
import { StackError, sentenceOf } from "../../stack/stack-error.ts";
import { startStack, type Stack } from "../../stack/stack.ts";
import {
  MEASURED_ROLES,
  roleEnvironment,
  rolesFor,
  type MeasuredRole,
  type PspAddress,
  type RoleAddresses,
  type RoleEntries,
} from "./roles.ts";
import type { ChecklistLine, ChecklistState } from "./terminal-checklist.ts";

const EPHEMERAL_PREFIX = "saldo-ephemeral-";

/** What has to be done once between the servers and the roles. */
export type SystemSteps = {
  migrate(addresses: { adminUrl: string; appUrl: string }): Promise<{ applied: number }>;
  buildWorkflowBundle(cacheDir: string): Promise<string>;
  ensureTopics(brokers: readonly string[]): Promise<void>;
  ensureSchedules(addresses: { temporalAddress: string; namespace: string }): Promise<void>;
  ensureSigningKey(keysDir: string): Promise<{ readonly made: boolean }>;
};

export type SystemOptions = {
  readonly config: Config;
  /** The environment that the roles inherit. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly ephemeral: boolean;
  readonly entries: RoleEntries;
  readonly steps: SystemSteps;
  readonly onStep?: (line: ChecklistLine) => void;
  /** What a role says after the start: that it died, that it runs again. */
  readonly onRoleEvent?: (event: RoleEvent) => void;
  /** What a server does after the start: it ended and is started again, it runs again. */
  readonly onServerEvent?: (event: ServerEvent) => void;
  readonly onRoleOutput?: (role: string, chunk: string) => void;
  /** Given what kills servers and roles at once, for the last moment of this process. */
  readonly onKillable?: (kill: () => void) => void;
  readonly signal?: AbortSignal;
};

export type System = {
  readonly stack: Stack;
  readonly running: Omit<Running, "pid" | "identity">;
  /** Roles that were not started, each with the reason in a sentence. */
  readonly notStarted: readonly string[];
  /** Stops the roles, intake first, then the servers this start has started. Safe to retry. */
  stop(): Promise<void>;
};

/**
 * Brings up the whole system: servers, migrations, topics, schedules, roles. Everything runs when it returns.
 * Throws: StackError, after what was started is stopped again.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { config, ephemeral } = options;
  const configuredDir = resolve(config.DATA_DIR);
  const dataDir = ephemeral ? join(tmpdir(), `${EPHEMERAL_PREFIX}${process.pid}`) : configuredDir;
  if (ephemeral) await clearAbandoned(tmpdir(), EPHEMERAL_PREFIX);
  // The note of what runs lies in the configured folder also for a throw-away system: that is where the other commands look.
  makeDataDir(configuredDir);
  const cacheDir = resolve(config.CACHE_DIR);
  const keysDir = keysDirOf({ ...config, DATA_DIR: dataDir });
  const apiPort = config.HTTP_PORT === 0 ? await freePort() : config.HTTP_PORT;
  const purchasesPort = config.PURCHASES_PORT === 0 ? await freePort() : config.PURCHASES_PORT;
  const pspPort = config.PSP_PORT === 0 ? await freePort() : config.PSP_PORT;
  const metricsPorts = await metricsPortsOf(config.METRICS_PORT);
  const step = stepReporter(options.onStep ?? (() => undefined));
  const roles: SupervisedRole[] = [];

  const bundle = step(
    "Workflow bundle",
    "building",
    async () => options.steps.buildWorkflowBundle(cacheDir),
    () => "built",
  );
  bundle.catch(() => undefined);
  const stack = await startStack({
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
      kafkaBrokers: config.KAFKA_BROKERS?.split(",").map((broker) => broker.trim()),
      redisUrl: config.REDIS_URL,
    },
    otherPorts: [
      { port: apiPort, server: "the HTTP API", variable: "HTTP_PORT" },
      { port: purchasesPort, server: "the purchases API", variable: "PURCHASES_PORT" },
      ...(config.PSP_URL === undefined ? [{ port: pspPort, server: "the payment provider", variable: "PSP_PORT" }] : []),
      ...MEASURED_ROLES.map((role) => ({ port: metricsPorts[role], server: `the metrics of the ${role}`, variable: "METRICS_PORT" })),
    ],
    onProgress: (event) => options.onStep?.(lineOf(event)),
    onServerEvent: options.onServerEvent,
    onKillable: options.onKillable,
    signal: options.signal,
  });
  let stopping: Promise<void> | undefined;
  const stop = () =>
    (stopping ??= (async () => {
      removeRunning(configuredDir);
      // Intake first: no new work comes in while the rest finishes what it has.
      await stopRoles(roles, ["bridge", "api"]);
      await stopRoles(roles, ["worker", "relay"]);
      // Last of all: payments under way may still want its answer.
      await stopRoles(roles, ["psp"]);
      await stack.stop();
    })());

  try {
    const addresses = addressesOf(stack, config, {
      apiPort,
      purchasesPort,
      metricsPorts,
      psp: pspAddressOf(config, dataDir, pspPort),
    });
    const { signal } = options;
    const abortable = <T>(work: Promise<T>) =>
      signal === undefined ? work : unlessAborted(work, signal, () => new StackError("STOPPED", "The start was stopped."));
    await abortable(
      Promise.all([
        step(
          "Migrations",
          "applying",
          () => options.steps.migrate({ adminUrl: addresses.databaseAdminUrl, appUrl: addresses.databaseUrl }),
          ({ applied }) => (applied === 0 ? "up to date" : `${applied} applied`),
        ),
        addresses.kafkaBrokers === undefined
          ? undefined
          : step(
              "Kafka topics",
              "creating",
              () => options.steps.ensureTopics(addresses.kafkaBrokers ?? []),
              () => "ready",
            ),
        step(
          "Signing keys",
          "making",
          () => options.steps.ensureSigningKey(keysDir),
          ({ made }) => (made ? "made" : "ready"),
        ),
        step(
          "Schedules",
          "creating",
          () => options.steps.ensureSchedules({ temporalAddress: addresses.temporalAddress, namespace: config.TEMPORAL_NAMESPACE }),
          () => "ready",
        ),
      ]),
    );
    const bundlePath = await abortable(bundle);
    const reportsDir = config.REPORTS_DIR ?? join(dataDir, "reports");
    mkdirSync(reportsDir, { recursive: true, mode: 0o700 });
    const environment = roleEnvironment(options.environment, addresses, { dataDir, cacheDir, bundlePath, reportsDir, keysDir });
    const plan = rolesFor({ entries: options.entries, addresses, environment, host: config.HTTP_HOST });
    let note: (() => void) | undefined;
    const onRoleEvent = (event: RoleEvent) => {
      if (event.state === "ready" && stopping === undefined) note?.();
      options.onRoleEvent?.(event);
    };
    for (const spec of plan.roles) roles.push(superviseWithSteps(spec, dataDir, { ...options, onRoleEvent }));
    await abortable(Promise.all(roles.map((role) => role.ready)));
    const running = runningOf({ stack, config, addresses, roles, keysDir });
    note = () => writeRunning(configuredDir, { ...running, roles: pidsOf(roles) });
    note();
    return { stack, running, notStarted: plan.notStarted, stop };
  } catch (error) {
    await stop();
    throw error instanceof StackError ? error : new StackError("SERVER_FAILED", sentenceOf(error));
  }
}

type StepRunner = <T>(title: string, doing: string, work: () => Promise<T>, done: (result: T) => string) => Promise<T>;

function stepReporter(onStep: (line: ChecklistLine) => void): StepRunner {
  return async (title, doing, work, done) => {
    const startedAtMs = performance.now();
    const tell = (state: ChecklistState, detail: string) => onStep({ title, state, detail, elapsedMs: performance.now() - startedAtMs });
    tell("working", doing);
    try {
      const result = await work();
      tell("done", done(result));
      return result;
    } catch (error) {
      tell("failed", sentenceOf(error));
      throw new StackError("SERVER_FAILED", `${title}: ${sentenceOf(error)}`);
    }
  };
}

function superviseWithSteps(spec: Parameters<typeof superviseRole>[0], dataDir: string, options: SystemOptions): SupervisedRole {
  let announced = false;
  return superviseRole(spec, {
    dataDir,
    onEvent: (event) => {
      if (announced) return options.onRoleEvent?.(event);
      announced = event.state === "ready";
      const state = ({ starting: "working", restarting: "working", ready: "done", "backing-off": "warning", stopped: "failed" } as const)[
        event.state
      ];
      if (event.state !== "stopped" || event.detail !== "")
        options.onStep?.({ title: `Role ${spec.name}`, state, detail: event.detail, elapsedMs: event.elapsedMs });
    },
    ...(options.onRoleOutput === undefined ? {} : { onOutput: (chunk: string) => options.onRoleOutput?.(spec.name, chunk) }),
  });
}

async function stopRoles(roles: readonly SupervisedRole[], names: readonly string[]): Promise<void> {
  await Promise.all(roles.filter((role) => names.includes(role.name)).map((role) => role.stop()));
}

function addressesOf(
  stack: Stack,
  config: Config,
  ports: Pick<RoleAddresses, "apiPort" | "purchasesPort" | "metricsPorts" | "psp">,
): RoleAddresses {
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
  };
}

// Given one port, the roles have it and the next two; else any that are free.
async function metricsPortsOf(first: number | undefined): Promise<Readonly<Record<MeasuredRole, number>>> {
  const [worker = 0, bridge = 0, relay = 0] = await Promise.all(
    MEASURED_ROLES.map(async (_role, place) => (first === undefined || first === 0 ? freePort() : first + place)),
  );
  return { worker, bridge, relay };
}

function pspAddressOf(config: Config, dataDir: string, port: number): PspAddress {
  if (config.PSP_URL !== undefined) return { url: config.PSP_URL, apiKey: config.PSP_API_KEY ?? "" };
  const host = config.PSP_HOST.includes(":") ? `[${config.PSP_HOST}]` : config.PSP_HOST;
  return { url: `http://${host}:${port}`, apiKey: config.PSP_API_KEY ?? readOrCreateSecret(dataDir, "psp-api-key"), port };
}

function runningOf(parts: {
  stack: Stack;
  config: Config;
  addresses: RoleAddresses;
  roles: readonly SupervisedRole[];
  keysDir: string;
}): Omit<Running, "pid" | "identity"> {
  const { stack, config, addresses, roles, keysDir } = parts;
  const host = config.HTTP_HOST.includes(":") ? `[${config.HTTP_HOST}]` : config.HTTP_HOST;
  return {
    startedAt: new Date().toISOString(),
    databaseUrl: addresses.databaseUrl,
    databaseAdminUrl: addresses.databaseAdminUrl,
    temporalAddress: addresses.temporalAddress,
    temporalBinary: stack.temporal?.binary,
    temporalUiUrl: stack.temporal?.uiUrl,
    kafkaBrokers: addresses.kafkaBrokers,
    redisUrl: addresses.redisUrl,
    apiUrl: `http://${host}:${addresses.apiPort}`,
    purchasesUrl: `http://${host}:${addresses.purchasesPort}`,
    pspUrl: addresses.psp.url,
    pspApiKey: addresses.psp.apiKey,
    keysDir,
    metricsUrls: metricsUrlsOf(config, addresses, roles),
    logDir: stack.logDir,
    roles: pidsOf(roles),
  };
}

function metricsUrlsOf(config: Config, { metricsPorts }: RoleAddresses, roles: readonly SupervisedRole[]): Record<string, string> {
  const host = config.METRICS_HOST.includes(":") ? `[${config.METRICS_HOST}]` : config.METRICS_HOST;
  const started = MEASURED_ROLES.filter((name) => roles.some((role) => role.name === name));
  return Object.fromEntries(started.map((name) => [name, `http://${host}:${metricsPorts[name]}/metrics`]));
}

function pidsOf(roles: readonly SupervisedRole[]): Running["roles"] {
  return roles.map((role) => ({ name: role.name, pid: role.pid() }));
}

function lineOf(event: ServerProgress): ChecklistLine {
  const state = (
    { resolving: "working", building: "working", starting: "working", ready: "done", missing: "warning", failed: "failed" } as const
  )[event.state];
  return {
    title: serverTitle(event.server),
    state,
    detail: `${event.detail}${event.source === undefined ? "" : ` [${event.source}]`}`,
    elapsedMs: event.elapsedMs,
  };
}
