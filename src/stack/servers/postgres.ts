import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { driverTarget, loginOfPostgresUrl, tlsOfPostgresUrl } from "../../base/postgres-url.ts";
import { tlsFilesOf, withTls } from "../../base/tls-address.ts";
import { canConnect, parseAddress } from "../free-port.ts";
import { keepServer } from "../processes/keep-server.ts";
import { spawnServer, untilReady } from "../processes/process.ts";
import { runCommand } from "../processes/run-command.ts";
import { readOrCreateSecret } from "../secrets.ts";
import type { ServerContext } from "../server-context.ts";
import { StackError, sentenceOf } from "../stack-error.ts";
import { movedClusterFolder } from "./moved-clusters.ts";
import { findPostgresBinaries, isReachableBy, postgresUser, type PostgresBinaries, type SystemUser } from "./postgres-binaries.ts";
import { requireTls } from "./require-tls.ts";
import type { SecuredServer } from "./secured-server.ts";

export type PostgresAddress = { readonly adminUrl: string; readonly appUrl: string };
export type RunningPostgres = PostgresAddress & { readonly binary: string | undefined; stop(): Promise<void> };

const DATABASE = "saldo";
const READY_TIMEOUT_MS = 60_000;

/** The settings of Postgres. The first three make an acknowledged commit survive a crash and are never traded for speed. */
const SETTINGS: Readonly<Record<string, string>> = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  password_encryption: "scram-sha-256",
  timezone: "UTC",
  log_timezone: "UTC",
  shared_buffers: "256MB",
  max_connections: "200",
  max_wal_size: "2GB",
  // A failing statement is not written to the log: it can hold a password.
  log_min_error_statement: "panic",
};

/**
 * Starts Postgres on the loopback port with its data in `dataDir`, and makes the database `saldo` when it is not there.
 * The superuser and the application each have a generated password kept in `dataDir/secrets`; the application's role
 * itself is made by the migrations. Safe to retry: data and passwords of an earlier start are used again.
 * Throws: TOOL_MISSING, DATA_UNUSABLE, SERVER_FAILED.
 */
export async function startPostgres(
  context: ServerContext,
  options: { port: number; secured?: SecuredServer | undefined },
): Promise<RunningPostgres> {
  context.report("resolving", "looking for Postgres");
  const user = await postgresUser();
  const binaries = await findPostgresBinaries(user);
  const clusterDir = clusterDirectory(context, user);
  const moved = clusterDir.startsWith(context.dataDir)
    ? ""
    : `, data in ${clusterDir}, because the system user postgres cannot enter ${context.dataDir}`;
  const adminPassword = readOrCreateSecret(context.dataDir, "postgres-admin-password");
  const appPassword = readOrCreateSecret(context.dataDir, "postgres-app-password");
  const detail = `PostgreSQL ${binaries.majorVersion} on port ${options.port}${moved}`;
  context.report("starting", detail, binaries.source);
  if (!existsSync(join(clusterDir, "PG_VERSION"))) await initialiseCluster({ context, binaries, user, clusterDir, adminPassword });
  requireSameMajor(clusterDir, binaries);
  const secured = options.secured === undefined ? {} : securedSettings(options.secured, clusterDir, user);

  const status = join(clusterDir, "postmaster.pid");
  const launch = async (signal: AbortSignal) => {
    const server = await spawnServer({
      name: "postgres",
      command: binaries.postgres,
      args: [
        "-D",
        clusterDir,
        "-p",
        String(options.port),
        ...Object.entries({ ...SETTINGS, ...secured }).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ],
      dataDir: context.dataDir,
      // SIGINT is the fast shutdown with a checkpoint, SIGQUIT the immediate one that leaves recovery to the next start.
      stopSteps: context.ephemeral
        ? [{ signal: "SIGQUIT", graceMs: 3_000 }]
        : [
            { signal: "SIGINT", graceMs: 15_000 },
            { signal: "SIGQUIT", graceMs: 3_000 },
          ],
      user,
      cwd: clusterDir,
    });
    const check = async () => isPostmasterReady(status, server.pid);
    return untilReady(server, { title: "Postgres", timeoutMs: READY_TIMEOUT_MS, signal, check });
  };
  const stopServer = await keepServer({ server: "postgres", signal: context.signal, onEvent: context.onServerEvent, launch });
  const stop = async () => {
    await stopServer();
    if (context.ephemeral) rmSync(moved === "" ? clusterDir : dirname(clusterDir), { recursive: true, force: true });
  };
  try {
    const asClient = options.secured?.client;
    const address = (role: string, password: string, database: string) => {
      const url = `postgres://${role}:${password}@127.0.0.1:${options.port}/${database}`;
      return asClient === undefined ? url : withTls(`${url}?sslmode=verify-full`, asClient);
    };
    await createDatabase(address("postgres", adminPassword, "postgres"));
    context.report("ready", detail, binaries.source);
    return {
      adminUrl: address("postgres", adminPassword, DATABASE),
      appUrl: address("saldo", appPassword, DATABASE),
      binary: binaries.postgres,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Checks the Postgres that the environment names.
 * Throws: ADDRESS_UNREACHABLE when nothing listens there, or when it is to be spoken to over TLS and that does not come about.
 */
export async function usePostgres(context: ServerContext, address: PostgresAddress): Promise<RunningPostgres> {
  const { host, port } = parseAddress(address.appUrl, 5432);
  context.report("resolving", `${host}:${port} of DATABASE_URL`, "environment");
  if (!(await canConnect({ host, port }, 5_000)))
    throw new StackError("ADDRESS_UNREACHABLE", `Postgres does not answer at ${host}:${port} (DATABASE_URL).`);
  for (const [url, variable] of [
    [address.appUrl, "DATABASE_URL"],
    [address.adminUrl, "DATABASE_ADMIN_URL"],
  ] as const)
    await requirePostgresTls(url, variable);
  context.report("ready", `${host}:${port} of DATABASE_URL`, "environment");
  return { ...address, binary: undefined, stop: async () => undefined };
}

async function requirePostgresTls(url: string, variable: string): Promise<void> {
  if (tlsOfPostgresUrl(url) !== true) return;
  // A migrator makes the application's login; until then only the superuser's is known there.
  const asked = variable === "DATABASE_ADMIN_URL" ? { login: loginOfPostgresUrl(url) } : {};
  await requireTls({ ...parseAddress(url, 5432), talk: "postgres", files: tlsFilesOf(url), ...asked }, variable);
}

function clusterDirectory({ dataDir, ephemeral }: ServerContext, user: SystemUser | undefined): string {
  if (user === undefined || isReachableBy(user, dataDir)) return join(dataDir, "postgres");
  return join(movedClusterFolder(dataDir, { ephemeral }), "postgres");
}

async function initialiseCluster(options: {
  context: ServerContext;
  binaries: PostgresBinaries;
  user: SystemUser | undefined;
  clusterDir: string;
  adminPassword: string;
}): Promise<void> {
  const { context, binaries, user, clusterDir } = options;
  context.report("starting", "making the database cluster", binaries.source);
  // initdb works in a folder of another name: a start that is cut short leaves no half-made cluster under the real name.
  const work = `${clusterDir}.new`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true, mode: 0o700 });
  if (!dirname(clusterDir).startsWith(context.dataDir)) chmodSync(dirname(clusterDir), 0o755);
  const passwordFile = `${work}/password`;
  const cluster = join(work, "cluster");
  writeFileSync(passwordFile, `${options.adminPassword}\n`, { mode: 0o600 });
  if (user !== undefined) for (const path of [work, passwordFile]) chownSync(path, user.uid, user.gid);
  const locale = binaries.majorVersion >= 17 ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"] : ["--locale=C"];
  const args = ["-D", cluster, "--encoding=UTF8", ...locale, "--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
  try {
    await runCommand(binaries.initdb, [...args, ...(context.ephemeral ? ["--no-sync"] : [])], { signal: context.signal, user, cwd: work });
  } catch (error) {
    throw new StackError("SERVER_FAILED", `Postgres could not make its data folder: ${sentenceOf(error)}`);
  }
  renameSync(cluster, clusterDir);
  rmSync(work, { recursive: true, force: true });
}

function requireSameMajor(clusterDir: string, binaries: PostgresBinaries): void {
  const major = Number(readFileSync(join(clusterDir, "PG_VERSION"), "utf8"));
  if (major === binaries.majorVersion) return;
  throw new StackError(
    "DATA_UNUSABLE",
    `The data in ${clusterDir} was written by PostgreSQL ${major} and the one found is ${binaries.majorVersion}; use that version, or move the folder away.`,
  );
}

// A killed server leaves its file behind, which still says "ready": only a file with this process's pid counts.
function isPostmasterReady(statusFile: string, pid: number): boolean {
  try {
    const lines = readFileSync(statusFile, "utf8").split("\n");
    return lines[0]?.trim() === String(pid) && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}

/** The name in the certificate must be that of the login, except for the superuser: one certificate does for the application and its migrations. */
const SECURED_LOGINS = `hostssl all postgres 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full
`;

/** The settings by which Postgres takes connections over TLS only, of clients that have a certificate beside their password. */
function securedSettings({ files, settings }: SecuredServer, clusterDir: string, user: SystemUser | undefined): Record<string, string> {
  const own = { ssl_ca_file: files.ca, ssl_cert_file: files.cert, ssl_key_file: files.key };
  const copies = Object.entries(own).map(([setting, file]) => {
    const name = `${setting}.pem`;
    // Postgres refuses a key that others may read, and reads its files as its own system user.
    writeFileSync(join(clusterDir, name), readFileSync(file), { mode: 0o600 });
    return [setting, name] as const;
  });
  writeFileSync(join(clusterDir, "pg_hba.conf"), SECURED_LOGINS, { mode: 0o600 });
  if (user !== undefined)
    for (const name of [...copies.map(([, file]) => file), "pg_hba.conf"]) chownSync(join(clusterDir, name), user.uid, user.gid);
  return { ssl: "on", ...Object.fromEntries(copies), ...settings };
}

async function createDatabase(url: string): Promise<void> {
  const target = driverTarget(url);
  const sql = postgres(target.url, { ...target.options, max: 1, fetch_types: false, connect_timeout: 10, onnotice: () => undefined });
  try {
    const existing = await sql`select 1 from pg_database where datname = ${DATABASE}`;
    if (existing.length === 0) await sql.unsafe(`create database ${DATABASE}`);
  } catch (error) {
    throw new StackError("SERVER_FAILED", `Postgres started but does not let its superuser in: ${sentenceOf(error)}`);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
