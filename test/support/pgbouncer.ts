import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canConnect, freePort } from "../../src/stack/free-port.ts";
import { findOnPath } from "../../src/stack/processes/run-command.ts";
import { until } from "./until.ts";

/** PgBouncer before a Postgres of the test. */
export interface PgBouncer {
  /** The same database and user as `target`'s, through PgBouncer. */
  readonly url: string;
  stop(): Promise<void>;
}

/** The PgBouncer of this machine (Debian: `apt-get install pgbouncer`), or undefined. */
export function findPgBouncer(): Promise<string | undefined> {
  return findOnPath("pgbouncer");
}

/** Starts it in transaction mode, with few sessions for many clients. `settings` are lines of its configuration. */
export async function startPgBouncer(program: string, target: string, settings: readonly string[] = []): Promise<PgBouncer> {
  const { hostname, port, username, password, pathname } = new URL(target);
  const folder = mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-pgbouncer-`));
  const listenPort = await freePort();
  const file = (name: string, lines: readonly string[]) => {
    const path = join(folder, name);
    writeFileSync(path, `${lines.join("\n")}\n`, { mode: 0o644 });
    return path;
  };
  const users = file("users.txt", [`"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"`]);
  const config = file("pgbouncer.ini", [
    "[databases]",
    `* = host=${hostname} port=${port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${listenPort}`,
    "unix_socket_dir =",
    "auth_type = trust",
    `auth_file = ${users}`,
    "pool_mode = transaction",
    "default_pool_size = 3",
    "max_client_conn = 100",
    ...settings,
  ]);
  chmodSync(folder, 0o755);
  // It refuses to run as root.
  const asOther = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const child = spawn(program, ["-q", ...asOther, config], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words += chunk.toString()));
  let hasEnded = false;
  child.once("exit", () => (hasEnded = true));
  await until("PgBouncer listens", async () => hasEnded || (await canConnect({ host: "127.0.0.1", port: listenPort }, 500)));
  if (child.exitCode !== null) throw new Error(`PgBouncer ended: ${words}`);
  return {
    url: `postgres://${username}:${password}@127.0.0.1:${listenPort}${pathname}`,
    async stop() {
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
