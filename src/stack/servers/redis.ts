import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { tlsFilesOf } from "../../base/tls-address.ts";
import { tlsFrom } from "../../base/tls-files.ts";
import { canConnect, parseAddress } from "../free-port.ts";
import { keepServer } from "../processes/keep-server.ts";
import { spawnServer, untilReady, type ServerProcess } from "../processes/process.ts";
import { findOnPath, tryCommand } from "../processes/run-command.ts";
import type { ServerSource } from "../progress.ts";
import type { ServerContext } from "../server-context.ts";
import { StackError, toolMissing } from "../stack-error.ts";
import { buildInCache } from "./build-in-cache.ts";
import { copyArtifacts } from "./maven.ts";
import { requireTls } from "./require-tls.ts";
import type { SecuredServer } from "./secured-server.ts";
import { readZipEntry } from "./zip.ts";

export type RunningRedis = { readonly url: string; stop(): Promise<void> };

const ARTIFACT = "com.github.codemonstur:embedded-redis:1.4.3";
const READY_TIMEOUT_MS = 20_000;

/** The Redis programs inside the artifact, by platform and architecture of Node. */
const PACKED_PROGRAMS: Readonly<Record<string, string>> = {
  "linux-x64": "redis-server-6.2.6-v5-linux-amd64",
  "linux-arm64": "redis-server-6.2.7-linux-arm64",
  "linux-ia32": "redis-server-6.2.7-linux-386",
  "darwin-x64": "redis-server-6.2.6-v5-darwin-amd64",
  "darwin-arm64": "redis-server-6.2.6-v5-darwin-arm64",
};

/** The name of Redis's folder in the cache; undefined where there is no packed program for this machine. */
export const REDIS_CACHE_NAME: string | undefined = PACKED_PROGRAMS[`${process.platform}-${process.arch}`];

/**
 * Starts Redis (or Valkey) on the loopback port; unless ephemeral its writes are kept in an append-only file in `dataDir`.
 * No key is ever evicted: an evicted mark of a revoked token would let the token in.
 * Throws: TOOL_MISSING, SERVER_FAILED.
 */
export async function startRedis(
  context: ServerContext,
  options: { port: number; secured?: SecuredServer | undefined },
): Promise<RunningRedis> {
  const binary = await findRedisBinary(context);
  const detail = `port ${options.port}`;
  context.report("starting", detail, binary.source);
  const directory = join(context.dataDir, "redis");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const stop = await keepServer({
    server: "redis",
    signal: context.signal,
    onEvent: context.onServerEvent,
    launch: (signal) => launchRedis(context, { ...options, path: binary.path, directory, signal }),
  });
  context.report("ready", detail, binary.source);
  return { url: `${options.secured === undefined ? "redis" : "rediss"}://127.0.0.1:${options.port}`, stop };
}

async function launchRedis(
  context: ServerContext,
  options: { path: string; port: number; secured?: SecuredServer | undefined; directory: string; signal: AbortSignal },
): Promise<ServerProcess> {
  const server = await spawnServer({
    name: "redis",
    command: options.path,
    args: [
      ...listening(options),
      "--bind",
      "127.0.0.1",
      "--dir",
      options.directory,
      "--daemonize",
      "no",
      "--save",
      "",
      "--appendonly",
      context.ephemeral ? "no" : "yes",
      "--appendfsync",
      "everysec",
      "--maxmemory-policy",
      "noeviction",
    ],
    dataDir: context.dataDir,
    stopSteps: context.ephemeral ? [] : [{ signal: "SIGTERM", graceMs: 5_000 }],
  });
  const { signal } = options;
  return untilReady(server, { title: "Redis", timeoutMs: READY_TIMEOUT_MS, signal, check: () => answersPing(options) });
}

/**
 * Checks the Redis that the environment names.
 * Throws: ADDRESS_UNREACHABLE.
 */
export async function useRedis(context: ServerContext, url: string): Promise<RunningRedis> {
  const { host, port } = parseAddress(url, 6379);
  context.report("resolving", `${host}:${port} of REDIS_URL`, "environment");
  if (!(await canConnect({ host, port }, 5_000)))
    throw new StackError("ADDRESS_UNREACHABLE", `Redis does not answer at ${host}:${port} (REDIS_URL).`);
  if (url.startsWith("rediss:")) await requireTls({ host, port, talk: "redis", files: tlsFilesOf(url) }, "REDIS_URL");
  context.report("ready", `${host}:${port} of REDIS_URL`, "environment");
  return { url, stop: async () => undefined };
}

async function findRedisBinary(context: ServerContext): Promise<{ path: string; source: ServerSource }> {
  context.report("resolving", "looking for Redis");
  for (const program of ["redis-server", "valkey-server"]) {
    const path = await findOnPath(program);
    if (path !== undefined) return { path, source: "path" };
  }
  const packed = REDIS_CACHE_NAME;
  if (packed === undefined)
    throw toolMissing(
      "Redis",
      "there is no `redis-server` on PATH and no packed one for this machine; install Redis or Valkey, or set REDIS_URL",
    );
  const { directory, built } = await buildInCache({
    cacheDir: context.cacheDir,
    name: packed,
    signal: context.signal,
    onWait: () => context.report("building", "waiting for another process that fetches Redis"),
    build: (unfinished) => fetchPacked(context, packed, unfinished),
  });
  return { path: join(directory, "redis-server"), source: built ? "registry" : "cache" };
}

async function fetchPacked(context: ServerContext, packed: string, directory: string): Promise<void> {
  context.report("building", `fetching ${ARTIFACT} from Maven Central`, "registry");
  const download = await mkdtemp(join(tmpdir(), "saldo-redis-"));
  try {
    await copyArtifacts({
      title: "Redis",
      artifacts: [ARTIFACT],
      directory: download,
      cacheDir: context.cacheDir,
      transitive: false,
      signal: context.signal,
    });
    const jar = (await readdir(download)).find((name) => name.endsWith(".jar"));
    const program = jar === undefined ? undefined : readZipEntry(await readFile(join(download, jar)), packed);
    if (program === undefined) throw new StackError("SERVER_FAILED", `${ARTIFACT} does not hold ${packed}.`);
    const path = join(directory, "redis-server");
    await writeFile(path, program);
    await chmod(path, 0o755);
    if ((await tryCommand(path, ["--version"])) === undefined)
      throw toolMissing(
        "Redis",
        "the packed redis-server does not run on this machine (it needs libssl 3); install Redis or Valkey (Debian: apt-get install redis-server), or set REDIS_URL",
      );
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}

/** With TLS Redis wants a certificate of each client. */
function listening({ port, secured }: { port: number; secured?: SecuredServer | undefined }): string[] {
  if (secured === undefined) return ["--port", String(port)];
  const { ca, cert, key } = secured.files;
  const tls = { "tls-port": port, "tls-ca-cert-file": ca, "tls-cert-file": cert, "tls-key-file": key, "tls-auth-clients": "yes" };
  const settings = { port: 0, ...tls, ...secured.settings };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

function answersPing({ port, secured }: { port: number; secured?: SecuredServer | undefined }): Promise<boolean> {
  return new Promise((resolve) => {
    const ask = () => socket.write("PING\r\n");
    const socket: Socket =
      secured === undefined
        ? createConnection({ host: "127.0.0.1", port }, ask)
        : connect({ ...tlsFrom(secured.client, "127.0.0.1"), port }, ask);
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once("data", (chunk) => finish(/^(?:\+PONG|-NOAUTH)/.test(chunk.toString("latin1"))));
    socket.once("error", () => finish(false));
  });
}
