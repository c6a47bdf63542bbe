import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { canConnect, freePort } from "../free-port.ts";
import { keepServer } from "../processes/keep-server.ts";
import { spawnServer, untilReady } from "../processes/process.ts";
import { runCommand, tryCommand } from "../processes/run-command.ts";
import type { ServerContext } from "../server-context.ts";
import { toolMissing } from "../stack-error.ts";
import { buildInCache } from "./build-in-cache.ts";
import type { SecuredServer } from "./secured-server.ts";
import { findGo, findTemporalBinary } from "./temporal-binary.ts";
import { readSearchAttributes, TEMPORAL_CONFIG_DIR } from "./temporal-config.ts";
import type { RunningTemporal } from "./temporal.ts";

/** That of the dev server of the Temporal CLI that `npm start` uses. */
const VERSION = "1.29.1";
const CACHE_NAME = `temporal-server-${VERSION}`;
const MODULE = `go.temporal.io/server/cmd/server@v${VERSION}`;
const NAMESPACE = "default";
const READY_TIMEOUT_MS = 60_000;

/** True when the server is built already. */
export function hasTemporalServer(cacheDir: string): boolean {
  return existsSync(join(cacheDir, CACHE_NAME, "server"));
}

/**
 * Starts a whole Temporal server, because the dev server has no TLS: with SQLite in a file below `dataDir`, its frontend over TLS and for
 * clients with a certificate only. Its program is built by Go with the first call (2 to 5 minutes on two cores), and kept in the cache.
 * Throws: TOOL_MISSING without Go, SERVER_FAILED.
 */
export async function startSecuredTemporal(
  context: ServerContext,
  { port, secured }: { port: number; secured: SecuredServer },
): Promise<RunningTemporal> {
  const server = await findServer(context);
  const { path: cli } = await findTemporalBinary(context);
  const address = `127.0.0.1:${port}`;
  const home = join(context.dataDir, "temporal");
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(join(home, "secured.yaml"), stringify(await serverConfig(port, secured)));
  const launch = async (signal: AbortSignal) => {
    const process = await spawnServer({
      name: "temporal",
      command: server,
      args: ["--root", home, "--config", ".", "--env", "secured", "--allow-no-auth", "start"],
      dataDir: context.dataDir,
      cwd: home,
      stopSteps: context.ephemeral ? [] : [{ signal: "SIGINT", graceMs: 10_000 }],
    });
    const check = async () => (await canConnect({ host: "127.0.0.1", port }, 1_000)) && (await isPrepared(cli, address, secured));
    return untilReady(process, { title: "Temporal", timeoutMs: READY_TIMEOUT_MS, signal, check });
  };
  const stop = await keepServer({ server: "temporal", signal: context.signal, onEvent: context.onServerEvent, launch });
  context.report("ready", `${address}, with TLS`, "cache");
  return { address, uiUrl: undefined, binary: cli, stop };
}

async function findServer(context: ServerContext): Promise<string> {
  const { directory } = await buildInCache({
    cacheDir: context.cacheDir,
    name: CACHE_NAME,
    signal: context.signal,
    onWait: () => context.report("building", "waiting for another process that builds the Temporal server"),
    build: async (unfinished) => {
      const go = await findGo();
      if (go === undefined) throw toolMissing("Temporal", "there is no `go` to build its server with");
      context.report("building", `go install ${MODULE}: about 3 minutes on two cores, once`, "registry");
      await runCommand("env", [`GOBIN=${unfinished}`, go, "install", MODULE], { signal: context.signal });
    },
  });
  return join(directory, "server");
}

/** Makes the namespace and the search attributes where they are not there, and says whether both are. */
async function isPrepared(cli: string, address: string, { client }: SecuredServer): Promise<boolean> {
  const target = ["--address", address, "--tls", "--tls-server-name", "localhost", "--disable-config-file", "--disable-config-env"];
  const files = { "--tls-ca-path": client.ca, "--tls-cert-path": client.cert, "--tls-key-path": client.key };
  const tls = Object.entries(files).flatMap(([name, file]) => (file === undefined ? [] : [name, file]));
  const ask = (...words: string[]) => tryCommand(cli, ["operator", ...words, ...target, ...tls]);
  if ((await ask("namespace", "describe", "--namespace", NAMESPACE)) === undefined) {
    await ask("namespace", "create", "--namespace", NAMESPACE, "--retention", "720h");
    return false;
  }
  const wanted = Object.entries(readSearchAttributes());
  const there = (await ask("search-attribute", "list", "--namespace", NAMESPACE)) ?? "";
  const missing = wanted.filter(([name]) => !there.includes(name));
  if (missing.length === 0) return true;
  await ask("search-attribute", "create", "--namespace", NAMESPACE, ...missing.flatMap(([name, type]) => ["--name", name, "--type", type]));
  return false;
}

async function serverConfig(port: number, { files }: SecuredServer): Promise<object> {
  const sql = {
    pluginName: "sqlite",
    databaseName: "temporal.db",
    connectAddr: "localhost",
    connectProtocol: "tcp",
    connectAttributes: { cache: "private", setup: true, journal_mode: "wal", synchronous: 1 },
    maxConns: 1,
    maxIdleConns: 1,
    maxConnLifetime: "1h",
  };
  const service = async (grpcPort?: number) => ({
    rpc: { grpcPort: grpcPort ?? (await freePort()), membershipPort: await freePort(), bindOnLocalHost: true },
  });
  const ownClient = { serverName: "localhost", rootCaFiles: [files.ca] };
  return {
    log: { stdout: true, level: "warn" },
    persistence: {
      defaultStore: "all",
      visibilityStore: "visibility",
      numHistoryShards: 1,
      datastores: { all: { sql }, visibility: { sql } },
    },
    global: {
      membership: { maxJoinDuration: "30s", broadcastAddress: "127.0.0.1" },
      tls: {
        frontend: {
          server: { certFile: files.cert, keyFile: files.key, requireClientAuth: true, clientCaFiles: [files.ca] },
          client: ownClient,
        },
        // Without it the server's own worker is refused by its frontend.
        systemWorker: { certFile: files.cert, keyFile: files.key, client: ownClient },
      },
    },
    services: {
      frontend: await service(port),
      matching: await service(),
      history: await service(),
      worker: await service(),
    },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: "active",
      currentClusterName: "active",
      clusterInformation: {
        active: { enabled: true, initialFailoverVersion: 1, rpcName: "frontend", rpcAddress: `127.0.0.1:${port}` },
      },
    },
    dcRedirectionPolicy: { policy: "noop" },
    dynamicConfigClient: { filepath: `${TEMPORAL_CONFIG_DIR}dynamicconfig.yaml`, pollInterval: "60s" },
  };
}
