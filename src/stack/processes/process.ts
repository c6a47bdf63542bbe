import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StackError } from "../stack-error.ts";
import { recordProcess } from "./pid-file.ts";
import { stopProcess, type StopStep } from "./stop-process.ts";

export type ServerProcess = {
  readonly pid: number;
  /** Settles when the process has ended, with its exit code or signal in words. Never rejects. */
  readonly exited: Promise<string>;
  hasExited(): boolean;
  /** What the process has written to its log since it was started. */
  logText(): string;
  readonly logFile: string;
  /** Ends the process and its group within the grace of its stop steps. Safe to retry. */
  stop(): Promise<void>;
};

const LOG_ROTATE_BYTES = 20 * 1024 * 1024;

/**
 * Opens `dataDir/logs/<name>.log` for appending, after a file of more than 20 MB was moved aside.
 * `offset` is where the writing begins. The caller closes `fd`.
 */
export function openLog(dataDir: string, name: string): { fd: number; path: string; offset: number } {
  const path = join(dataDir, "logs", `${name}.log`);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (existsSync(path) && statSync(path).size > LOG_ROTATE_BYTES) renameSync(path, `${path}.1`);
  const fd = openSync(path, "a", 0o600);
  return { fd, path, offset: statSync(path).size };
}

/**
 * Starts a server in its own process group, so that Ctrl-C at the terminal reaches only the parent, and notes its pid on disk.
 * Throws: SERVER_FAILED when the program cannot be executed.
 */
export async function spawnServer(options: {
  name: string;
  command: string;
  args: readonly string[];
  dataDir: string;
  stopSteps: readonly StopStep[];
  user?: { uid: number; gid: number } | undefined;
  cwd?: string;
  /** On top of this process's own environment. */
  env?: Readonly<Record<string, string>>;
}): Promise<ServerProcess> {
  const log = openLog(options.dataDir, options.name);
  const child = spawn(options.command, [...options.args], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    ...options.user,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
  });
  closeSync(log.fd);
  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    child.once("error", (error) => resolve(error.message));
  });
  const { pid } = child;
  if (pid === undefined) throw new StackError("SERVER_FAILED", `${options.name} cannot be started: ${await exited}.`);
  const forget = recordProcess(join(options.dataDir, "pids"), { name: options.name, pid, stopSteps: options.stopSteps });
  const hasExited = () => child.exitCode !== null || child.signalCode !== null;
  void exited.then(forget);
  return {
    pid,
    exited,
    hasExited,
    logFile: log.path,
    logText: () => readFileSync(log.path).subarray(log.offset).toString("utf8"),
    stop: () => stopProcess({ pid, isAlive: () => !hasExited(), steps: options.stopSteps }),
  };
}

/**
 * Waits until `check` says the server answers.
 * Throws: SERVER_FAILED when the process ends first or the time is over, with the last telling line of its log. STOPPED on abort.
 */
export async function waitUntilReady(options: {
  title: string;
  server: ServerProcess;
  check: () => Promise<boolean>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  pollMs?: number;
}): Promise<void> {
  const { title, server } = options;
  const deadlineMs = performance.now() + options.timeoutMs;
  while (performance.now() < deadlineMs) {
    if (options.signal?.aborted === true) throw new StackError("STOPPED", `${title} was stopped while it started.`);
    if (server.hasExited())
      throw new StackError("SERVER_FAILED", `${title} ended while it started (${await server.exited})${lastWords(server)}`);
    if (await options.check()) return;
    await sleep(options.pollMs ?? 25);
  }
  throw new StackError("SERVER_FAILED", `${title} did not answer within ${Math.round(options.timeoutMs / 1000)} s${lastWords(server)}`);
}

/**
 * The spawned server, as soon as it answers. A server that does not answer is stopped again.
 * Throws: SERVER_FAILED, STOPPED.
 */
export async function untilReady(
  server: ServerProcess,
  wait: Omit<Parameters<typeof waitUntilReady>[0], "server">,
): Promise<ServerProcess> {
  try {
    await waitUntilReady({ ...wait, server });
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function lastWords(server: ServerProcess): string {
  const lines = server
    .logText()
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const telling = lines.findLast((line) => /error|fatal|panic|exception/i.test(line)) ?? lines.at(-1);
  return `${telling === undefined ? "" : `: ${telling.slice(0, 300)}`} (log: ${server.logFile}).`;
}
