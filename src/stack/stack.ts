import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { TlsFiles } from "../base/tls-files.ts";
import { claimDataDir } from "./data-dir.ts";
import { claimPort, freePort, type WantedPort } from "./free-port.ts";
import type { ServerEvent } from "./processes/keep-server.ts";
import { killRecorded, stopOrphans } from "./processes/pid-file.ts";
import { progressReporter, serverTitle, type ServerName, type ServerProgress } from "./progress.ts";
import type { ServerContext } from "./server-context.ts";
import { startKafka, useKafka, type RunningKafka, type SecuredKafka } from "./servers/kafka.ts";
import { startPostgres, usePostgres, type RunningPostgres } from "./servers/postgres.ts";
import { startRedis, useRedis, type RunningRedis } from "./servers/redis.ts";
import type { SecuredServer } from "./servers/secured-server.ts";
import { startSecuredTemporal } from "./servers/secured-temporal.ts";
import { startTemporal, useTemporal, type RunningTemporal } from "./servers/temporal.ts";
import { findTimeSkippingServer } from "./servers/time-skipping.ts";
import { StackError, sentenceOf } from "./stack-error.ts";

/** The configured ports; for a port of 0 a free one is taken. */
export type FixedPorts = {
  readonly postgres: number;
  readonly temporal: number;
  readonly temporalUi: number;
  readonly kafka: number;
  readonly redis: number;
};

export type ExternalAddresses = {
  readonly databaseUrl?: string | undefined;
  /** The address for migrations; without it they use `databaseUrl`. */
  readonly databaseAdminUrl?: string | undefined;
  readonly temporalAddress?: string | undefined;
  readonly temporalTls?: TlsFiles | undefined;
  readonly kafkaBrokers?: readonly string[] | undefined;
  readonly kafkaTls?: TlsFiles | undefined;
  readonly redisUrl?: string | undefined;
};

export type StackOptions = {
  readonly servers: readonly ServerName[];
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly ephemeral: boolean;
  readonly ports: FixedPorts | "free";
  /** Servers that run already; they are used and never stopped. */
  readonly external?: ExternalAddresses | undefined;
  /** Servers to start with TLS and for clients with a certificate only; the others are started as always. */
  readonly secured?: SecuredServers | undefined;
  /** Servers without which the start fails. By default Postgres and Temporal. */
  readonly required?: readonly ServerName[] | undefined;
  /** Ports of other processes that must be free as well. They are checked before any server is started. */
  readonly otherPorts?: readonly WantedPort[] | undefined;
  readonly onProgress?: ((event: ServerProgress) => void) | undefined;
  /** Called when a server ends after it was ready, and when it runs again: a server is restarted on its port and with its data. */
  readonly onServerEvent?: ((event: ServerEvent) => void) | undefined;
  /** Called once the data folder is claimed and every wanted port is free, before any server is started. */
  readonly onClaimed?: (() => void) | undefined;
  /** Called once the data folder is claimed, with the function that kills every process recorded there, for the last moment of this process. */
  readonly onKillable?: ((kill: () => void) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type SecuredServers = {
  readonly postgres?: SecuredServer;
  readonly temporal?: SecuredServer;
  readonly kafka?: SecuredKafka;
  readonly redis?: SecuredServer;
};

export type MissingServer = { readonly server: ServerName; readonly reason: string; readonly consequence: string };

export type Stack = {
  readonly postgres: RunningPostgres | undefined;
  readonly temporal: RunningTemporal | undefined;
  readonly kafka: RunningKafka | undefined;
  readonly redis: RunningRedis | undefined;
  /** The path of the time-skipping test server. */
  readonly timeSkippingPath: string | undefined;
  readonly missing: readonly MissingServer[];
  readonly dataDir: string;
  readonly logDir: string;
  /** Stops the servers that this stack started and nothing else. Safe to retry. */
  stop(): Promise<void>;
};

/**
 * Starts the wanted servers side by side and waits until each answers. Servers left behind by a killed parent in the same
 * data folder are stopped first. A server that is not required and cannot be started is listed in `missing`.
 * Throws: StackError of the first required server that failed, after everything that was started is stopped again.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const dataDir = resolve(options.dataDir);
  const cacheDir = resolve(options.cacheDir);
  const release = claimDataDir(dataDir);
  const stops: (() => Promise<void>)[] = [];
  let stopped = false;
  const stop = once(async () => {
    await Promise.allSettled(stops.map((stopServer) => stopServer()));
    stopped = true;
    if (options.ephemeral) rmSync(dataDir, { recursive: true, force: true });
    else release();
  });
  options.onKillable?.(() => {
    if (stopped) return;
    killRecorded(join(dataDir, "pids"));
    if (options.ephemeral) rmSync(dataDir, { recursive: true, force: true });
    else release();
  });
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([failed.signal, options.signal]);
  const required = options.required ?? ["postgres", "temporal"];
  const missing: MissingServer[] = [];
  const started: Started = {};

  const startOne = async (server: ServerName) => {
    const report = progressReporter(server, options.onProgress ?? (() => undefined));
    const context: ServerContext = {
      dataDir,
      cacheDir,
      ephemeral: options.ephemeral,
      report,
      signal,
      onServerEvent: options.onServerEvent,
    };
    try {
      const stopServer = await withPortRetry(options.ports, () => startServer(server, context, options, started));
      stops.push(stopServer);
    } catch (error) {
      // A server that was aborted because another one failed is not the cause, and is not reported.
      if (signal.aborted) return;
      const mandatory = required.includes(server) || isWrongConfiguration(error);
      report(mandatory ? "failed" : "missing", sentenceOf(error));
      if (mandatory) return failed.abort(error);
      missing.push({ server, reason: sentenceOf(error), consequence: consequenceOf(server) });
    }
  };

  try {
    await stopOrphans(join(dataDir, "pids"));
    for (const wanted of [...fixedPorts(options), ...(options.otherPorts ?? [])]) await claimPort(wanted);
    options.onClaimed?.();
    await Promise.all(options.servers.map(startOne));
    if (failed.signal.aborted) throw failed.signal.reason;
    if (options.signal?.aborted === true) throw new StackError("STOPPED", "The start was stopped.");
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    postgres: started.postgres,
    temporal: started.temporal,
    kafka: started.kafka,
    redis: started.redis,
    timeSkippingPath: started.timeSkippingPath,
    missing,
    dataDir,
    logDir: join(dataDir, "logs"),
    stop,
  };
}

// All ports are checked first, so that a taken port is reported before any server is started.
function fixedPorts(options: StackOptions): WantedPort[] {
  const { ports, external = {} } = options;
  if (ports === "free") return [];
  const wanted = [
    { of: "postgres", external: external.databaseUrl, port: ports.postgres, server: "Postgres", variable: "POSTGRES_PORT" },
    { of: "temporal", external: external.temporalAddress, port: ports.temporal, server: "Temporal", variable: "TEMPORAL_PORT" },
    {
      of: "temporal",
      external: external.temporalAddress,
      port: ports.temporalUi,
      server: "Temporal's Web UI",
      variable: "TEMPORAL_UI_PORT",
    },
    { of: "kafka", external: external.kafkaBrokers, port: ports.kafka, server: "Kafka", variable: "KAFKA_PORT" },
    { of: "redis", external: external.redisUrl, port: ports.redis, server: "Redis", variable: "REDIS_PORT" },
  ] as const;
  return wanted.filter((each) => options.servers.includes(each.of) && each.external === undefined && each.port !== 0);
}

type Started = {
  postgres?: RunningPostgres;
  temporal?: RunningTemporal;
  kafka?: RunningKafka;
  redis?: RunningRedis;
  timeSkippingPath?: string;
};

async function startServer(
  server: ServerName,
  context: ServerContext,
  options: StackOptions,
  started: Started,
): Promise<() => Promise<void>> {
  const { external = {}, secured = {} } = options;
  const portOf = async (name: keyof FixedPorts) =>
    options.ports === "free" || options.ports[name] === 0 ? freePort() : options.ports[name];
  switch (server) {
    case "postgres": {
      const { databaseUrl } = external;
      started.postgres =
        databaseUrl === undefined
          ? await startPostgres(context, { port: await portOf("postgres"), secured: secured.postgres })
          : await usePostgres(context, { appUrl: databaseUrl, adminUrl: external.databaseAdminUrl ?? databaseUrl });
      return stopOf(started.postgres);
    }
    case "temporal":
      if (secured.temporal !== undefined) {
        started.temporal = await startSecuredTemporal(context, { port: await portOf("temporal"), secured: secured.temporal });
        return stopOf(started.temporal);
      }
      started.temporal =
        external.temporalAddress === undefined
          ? await startTemporal(context, {
              port: await portOf("temporal"),
              uiPort: await portOf("temporalUi"),
              metricsPort: await freePort(),
              httpPort: await freePort(),
            })
          : await useTemporal(context, external.temporalAddress, external.temporalTls);
      return stopOf(started.temporal);
    case "kafka":
      started.kafka =
        external.kafkaBrokers === undefined
          ? await startKafka(context, { port: await portOf("kafka"), secured: secured.kafka })
          : await useKafka(context, external.kafkaBrokers, external.kafkaTls);
      return stopOf(started.kafka);
    case "redis":
      started.redis =
        external.redisUrl === undefined
          ? await startRedis(context, { port: await portOf("redis"), secured: secured.redis })
          : await useRedis(context, external.redisUrl);
      return stopOf(started.redis);
    case "time-skipping":
      started.timeSkippingPath = await findTimeSkippingServer(context);
      return async () => undefined;
  }
}

function stopOf(server: { stop(): Promise<void> }): () => Promise<void> {
  return () => server.stop();
}

// Another process can take a free port between the check and the start of the server; then another port is as good.
async function withPortRetry<T>(ports: FixedPorts | "free", start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      const portRace =
        ports === "free" && error instanceof StackError && error.code === "SERVER_FAILED" && /in use|bind/i.test(error.message);
      if (!portRace || attempt === 3) throw error;
    }
  }
}

// A configured address that does not answer, or a configured port that is taken, is a mistake to correct: the start does not go on without.
function isWrongConfiguration(error: unknown): boolean {
  return error instanceof StackError && ["ADDRESS_UNREACHABLE", "PORT_TAKEN"].includes(error.code);
}

function consequenceOf(server: ServerName): string {
  switch (server) {
    case "kafka":
      return "Events are neither read nor published; they wait in the outbox. Everything else works.";
    case "redis":
      return "Nothing is cached and requests are counted per process; everything works, only slower.";
    case "postgres":
    case "temporal":
    case "time-skipping":
      return `What needs ${serverTitle(server)} does not work.`;
  }
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
}
