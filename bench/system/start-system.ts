import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mintToken } from "../../src/cli/kit/operator-token.ts";
import { ROLE_ENTRIES } from "../../src/cli/start/role-entries.ts";
import { createStartSteps } from "../../src/cli/start/start-steps.ts";
import { startSystem } from "../../src/cli/start/system.ts";
import { inheritedEnvironment, loadConfig } from "../../src/config.ts";
import { freePort } from "../../src/stack/free-port.ts";
import { startStack } from "../../src/stack/stack.ts";
import type { CpuMeter } from "../measure/cpu-meter.ts";
import { createDatabaseServer, type DatabaseServer } from "./database.ts";
import type { MeasuredSystem } from "./measured-system.ts";

/** A part that was started for the benchmark. `stop` stops what it started and nothing else. */
export interface Started<Part> {
  readonly part: Part;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly meter: CpuMeter;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
  /** Given the function that kills all at once, for the last moment of this process. */
  readonly onKillable: (kill: () => void) => void;
  /** The folder that takes the roles' processor profiles; without it none are made. */
  readonly profileDir?: string | undefined;
}

const PORTS = ["POSTGRES_PORT", "TEMPORAL_PORT", "TEMPORAL_UI_PORT", "KAFKA_PORT", "REDIS_PORT", "HTTP_PORT", "PURCHASES_PORT", "PSP_PORT"];
const TOKEN_TTL_MS = 12 * 3_600_000;
const PROFILER = fileURLToPath(new URL("../profile-role.cjs", import.meta.url));

/** The environment of a system of its own: free ports, a data folder that is thrown away, the defaults of everything that is measured. */
export async function benchEnvironment(): Promise<Record<string, string>> {
  const ports = await Promise.all(PORTS.map(async (name) => [name, String(await freePort())] as const));
  const inherited = Object.entries(inheritedEnvironment()).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...Object.fromEntries(inherited), ...Object.fromEntries(ports), DATA_DIR: benchDir(), LOG_LEVEL: "warn" };
}

/** Starts servers and roles as `npm start` does. Throws: StackError. */
export async function startMeasuredSystem(options: StartOptions): Promise<Started<MeasuredSystem>> {
  const { meter, say, signal, onKillable, profileDir } = options;
  const profiled =
    profileDir === undefined ? {} : { NODE_OPTIONS: `--require ${JSON.stringify(PROFILER)}`, SALDO_BENCH_PROFILES: profileDir };
  const environment = await benchEnvironment();
  const config = loadConfig(environment);
  say("starting the whole system");
  const { running, stack, stop } = await startSystem({
    config,
    environment: { ...environment, ...profiled },
    ephemeral: true,
    entries: ROLE_ENTRIES,
    steps: createStartSteps(config),
    signal,
    onKillable,
    onRoleEvent: (event) => say(`role ${event.role} ${event.state} ${event.detail}`),
  });
  meter.labelRecorded(join(stack.dataDir, "pids"));
  const stopAll = async () => {
    await stop();
    rmSync(benchDir(), { recursive: true, force: true });
  };
  try {
    const { databaseUrl, databaseAdminUrl, temporalAddress, redisUrl = "", kafkaBrokers } = running;
    if (kafkaBrokers === undefined) throw new Error("there is no Kafka");
    const { token } = await mintToken(config, { subject: "bench", roles: ["service", "admin"], ttlMs: TOKEN_TTL_MS }, running.keysDir);
    const ofRoles = {
      ...environment,
      DATABASE_URL: databaseUrl,
      TEMPORAL_ADDRESS: temporalAddress,
      KAFKA_BROKERS: kafkaBrokers.join(","),
      ...(redisUrl === "" ? {} : { REDIS_URL: redisUrl }),
    };
    return {
      part: {
        config: loadConfig(ofRoles),
        apiUrl: running.apiUrl,
        token,
        databaseUrl,
        adminUrl: databaseAdminUrl,
        temporalAddress,
        brokers: kafkaBrokers,
        environment: ofRoles,
      },
      stop: stopAll,
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** Starts a Postgres alone. Throws: StackError. */
export async function startPostgresAlone({ meter, signal, onKillable }: StartOptions): Promise<Started<DatabaseServer>> {
  const stack = await startStack({
    servers: ["postgres"],
    required: ["postgres"],
    dataDir: benchDir(),
    cacheDir: loadConfig(inheritedEnvironment()).CACHE_DIR,
    ephemeral: true,
    ports: "free",
    signal,
    onKillable,
  });
  meter.labelRecorded(join(stack.dataDir, "pids"));
  if (stack.postgres === undefined) throw new Error("there is no Postgres");
  return { part: createDatabaseServer(stack.postgres), stop: () => stack.stop() };
}

function benchDir(): string {
  return join(tmpdir(), `saldo-bench-${process.pid}`);
}
