import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { TlsFiles } from "../../base/tls-files.ts";
import { canConnect, parseAddress } from "../free-port.ts";
import { keepServer } from "../processes/keep-server.ts";
import { spawnServer, untilReady, type ServerProcess } from "../processes/process.ts";
import { tryCommand } from "../processes/run-command.ts";
import type { ServerContext } from "../server-context.ts";
import { StackError } from "../stack-error.ts";
import { requireTls } from "./require-tls.ts";
import { speaksTemporal } from "./speaks-temporal.ts";
import { findTemporalBinary } from "./temporal-binary.ts";
import { readDynamicConfigValues, readSearchAttributes } from "./temporal-config.ts";

export type RunningTemporal = {
  /** `host:port` of the gRPC frontend. */
  readonly address: string;
  readonly uiUrl: string | undefined;
  /** The `temporal` program, for the operator; undefined when the server was not started here. */
  readonly binary: string | undefined;
  stop(): Promise<void>;
};

const NAMESPACE = "default";
// By default the dev server keeps closed workflows for a day. An id protects from a second start only as long as its workflow is kept.
const RETENTION = "720h";
const READY_TIMEOUT_MS = 60_000;
/**
 * How much the server's memory grows before it is collected, in percent of what is in use (Go's default is 100). With 400 an order took a
 * tenth less of its processor, for 200 MB more under load (ten alternating rounds); 200 has a part of that, for some 90 MB.
 */
const GROWTH_BEFORE_COLLECTION = "200";
const NO_USER_CONFIG = ["--disable-config-file", "--disable-config-env"];

/**
 * Starts the Temporal dev server with its state in a file below `dataDir`, the search attributes and settings of
 * temporal-config, and a retention of 30 days. Safe to retry: the state of an earlier start is used again.
 * Throws: TOOL_MISSING, SERVER_FAILED.
 */
export async function startTemporal(
  context: ServerContext,
  options: { port: number; uiPort: number; metricsPort: number; httpPort: number },
): Promise<RunningTemporal> {
  const binary = await findTemporalBinary(context);
  const address = `127.0.0.1:${options.port}`;
  const detail = `${address}, UI on port ${options.uiPort}`;
  context.report("starting", detail, binary.source);
  // It runs in its folder and is told its file by name: SQLite takes the name for a URI, so that a path ends at `#` or `?`, and the
  // workflows of two data folders could stand in one file outside of both.
  const home = join(context.dataDir, "temporal");
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const launch = async (signal: AbortSignal) => {
    const server = await spawnServer({
      name: "temporal",
      command: binary.path,
      args: serverArguments(options),
      dataDir: context.dataDir,
      cwd: home,
      env: { GOGC: process.env["GOGC"] ?? GROWTH_BEFORE_COLLECTION },
      stopSteps: context.ephemeral ? [] : [{ signal: "SIGINT", graceMs: 10_000 }],
    });
    const check = async () => hasPrintedAddresses(server) && (await keepClosedWorkflows(binary.path, address));
    return untilReady(server, { title: "Temporal", timeoutMs: READY_TIMEOUT_MS, signal, check });
  };
  const stop = await keepServer({ server: "temporal", signal: context.signal, onEvent: context.onServerEvent, launch });
  context.report("ready", detail, binary.source);
  return { address, uiUrl: `http://127.0.0.1:${options.uiPort}`, binary: binary.path, stop };
}

/**
 * Checks the Temporal that the environment names.
 * Throws: ADDRESS_UNREACHABLE when nothing listens there, or something that is not Temporal.
 */
export async function useTemporal(context: ServerContext, address: string, tls?: TlsFiles): Promise<RunningTemporal> {
  context.report("resolving", `${address} of TEMPORAL_ADDRESS`, "environment");
  if (!(await canConnect(parseAddress(address, 7233), 5_000)))
    throw new StackError("ADDRESS_UNREACHABLE", `Temporal does not answer at ${address} (TEMPORAL_ADDRESS).`);
  const place = parseAddress(address, 7233);
  if (tls !== undefined) await requireTls({ ...place, talk: "temporal", files: tls }, "TEMPORAL_ADDRESS");
  if (!(await speaksTemporal(place, 5_000, tls)))
    throw new StackError(
      "ADDRESS_UNREACHABLE",
      `What answers at ${address} (TEMPORAL_ADDRESS) is not a Temporal server ${tls === undefined ? "without" : "with"} TLS.`,
    );
  context.report("ready", `${address} of TEMPORAL_ADDRESS`, "environment");
  return { address, uiUrl: undefined, binary: undefined, stop: async () => undefined };
}

function serverArguments(ports: { port: number; uiPort: number; metricsPort: number; httpPort: number }): string[] {
  const { port, uiPort, metricsPort, httpPort } = ports;
  const flags = {
    ip: "127.0.0.1",
    port,
    "ui-port": uiPort,
    "metrics-port": metricsPort,
    "http-port": httpPort,
    namespace: NAMESPACE,
    "log-format": "json",
    "log-level": "warn",
    color: "never",
    "db-filename": "temporal.db",
  };
  const repeated = {
    "sqlite-pragma": ["journal_mode=wal", "synchronous=normal"],
    "search-attribute": Object.entries(readSearchAttributes()).map(([name, type]) => `${name}=${type}`),
    "dynamic-config-value": readDynamicConfigValues(),
  };
  return [
    "server",
    "start-dev",
    ...NO_USER_CONFIG,
    ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ...Object.entries(repeated).flatMap(([name, values]) => values.flatMap((value) => [`--${name}`, value])),
  ];
}

// The port opens before the search attributes are registered; the addresses are printed afterwards.
function hasPrintedAddresses(server: ServerProcess): boolean {
  return /^(Temporal )?Server:\s/m.test(server.logText());
}

async function keepClosedWorkflows(binary: string, address: string): Promise<boolean> {
  const answer = await tryCommand(binary, [
    "operator",
    "namespace",
    "update",
    "--address",
    address,
    "--namespace",
    NAMESPACE,
    "--retention",
    RETENTION,
    ...NO_USER_CONFIG,
  ]);
  return answer !== undefined;
}
