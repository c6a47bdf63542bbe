import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { StackError } from "../stack-error.ts";
import { recordProcess } from "./pid-file.ts";
import { openLog } from "./process.ts";
import { stopProcess } from "./stop-process.ts";

export type RoleSpec = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the role. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** How long the role may take to end after SIGTERM before it is killed. */
  readonly graceMs: number;
  /** Polled until it is true: then the role is ready. Without it the role's own ready message counts. */
  readonly isReady?: () => Promise<boolean>;
};

export type RoleEvent = {
  readonly role: string;
  readonly state: "starting" | "ready" | "restarting" | "backing-off" | "stopped";
  readonly detail: string;
  readonly elapsedMs: number;
};

export type SupervisionTimes = {
  /** The wait before the first restart; doubled for each death in a row. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** A role that lived this long is healthy: its next restart waits only the minimum again. */
  readonly healthyAfterMs: number;
  readonly readyTimeoutMs: number;
  /** After this many deaths in a row before the role was ever ready, `ready` rejects. */
  readonly deathsBeforeReady: number;
};

export type SupervisedRole = {
  readonly name: string;
  /** Settles when the role is ready for the first time. Rejects with SERVER_FAILED when it dies too often or takes too long before. */
  readonly ready: Promise<void>;
  pid(): number | undefined;
  restarts(): number;
  /** Ends the role for good, within its grace and a few seconds. Safe to retry. */
  stop(): Promise<void>;
};

const TIMES: SupervisionTimes = {
  minBackoffMs: 200,
  maxBackoffMs: 30_000,
  healthyAfterMs: 10_000,
  readyTimeoutMs: 60_000,
  deathsBeforeReady: 3,
};
const READY_POLL_MS = 50;

/**
 * Keeps a role running as a child process in its own process group. A role that dies is started again; each death in a row doubles the wait,
 * and the role is reported as backing off. Its output goes to `dataDir/logs/<name>.log`.
 */
export function superviseRole(
  spec: RoleSpec,
  options: { dataDir: string; onEvent?: (event: RoleEvent) => void; onOutput?: (chunk: string) => void; times?: Partial<SupervisionTimes> },
): SupervisedRole {
  const times = { ...TIMES, ...options.times };
  const firstReady = deferred();
  const startedAtMs = performance.now();
  let child: Child | undefined;
  let restartTimer: NodeJS.Timeout | undefined;
  let stopping: Promise<void> | undefined;
  let everReady = false;
  let deathsInARow = 0;
  let restarts = 0;

  const emit = (state: RoleEvent["state"], detail: string) =>
    options.onEvent?.({ role: spec.name, state, detail, elapsedMs: Math.round(performance.now() - startedAtMs) });

  const becomeReady = () => {
    everReady = true;
    clearTimeout(readyTimer);
    emit("ready", `process ${child?.pid ?? ""}`);
    firstReady.resolve();
  };

  const start = () => {
    const bornAtMs = performance.now();
    emit(restarts === 0 ? "starting" : "restarting", spec.name);
    const current = spawnRole(spec, {
      dataDir: options.dataDir,
      ...(options.onOutput === undefined ? {} : { onOutput: options.onOutput }),
    });
    child = current;
    void current.ready.then(() => child === current && stopping === undefined && becomeReady());
    void current.ended.then((cause) => {
      if (stopping !== undefined) return;
      deathsInARow = performance.now() - bornAtMs >= times.healthyAfterMs ? 1 : deathsInARow + 1;
      const reason = `${spec.name} ended (${cause})${current.lastWords()}`;
      if (!everReady && deathsInARow >= times.deathsBeforeReady) return giveUp(reason);
      const waitMs = Math.min(times.maxBackoffMs, times.minBackoffMs * 2 ** (deathsInARow - 1));
      emit("backing-off", `${reason} — starting it again in ${waitMs} ms`);
      restarts += 1;
      restartTimer = setTimeout(start, waitMs);
    });
  };

  const giveUp = (reason: string) => {
    clearTimeout(readyTimer);
    emit("stopped", reason);
    firstReady.reject(new StackError("SERVER_FAILED", `${reason.replace(/\.$/, "")}.`));
  };

  const readyTimer = setTimeout(
    () => giveUp(`${spec.name} was not ready within ${times.readyTimeoutMs} ms (log: ${logFileOf(options.dataDir, spec.name)})`),
    times.readyTimeoutMs,
  );
  firstReady.promise.catch(() => undefined);
  start();

  return {
    name: spec.name,
    ready: firstReady.promise,
    pid: () => child?.pid,
    restarts: () => restarts,
    stop: () =>
      (stopping ??= (async () => {
        clearTimeout(readyTimer);
        clearTimeout(restartTimer);
        await child?.stop(spec.graceMs);
        firstReady.reject(new StackError("STOPPED", `${spec.name} was stopped.`));
        emit("stopped", "");
      })()),
  };
}

type Child = {
  readonly pid: number | undefined;
  readonly ready: Promise<void>;
  readonly ended: Promise<string>;
  lastWords(): string;
  stop(graceMs: number): Promise<void>;
};

function spawnRole(spec: RoleSpec, options: { dataDir: string; onOutput?: (chunk: string) => void }): Child {
  const log = openLog(options.dataDir, spec.name);
  const process = spawn(spec.command, [...spec.args], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd, "ipc"],
    env: { ...spec.environment },
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
  });
  closeSync(log.fd);
  const hasEnded = () => process.exitCode !== null || process.signalCode !== null || process.pid === undefined;
  const ended = new Promise<string>((resolve) => {
    process.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    process.once("error", (error) => resolve(error.message));
  });
  const follow = options.onOutput === undefined ? undefined : followLog(log, options.onOutput);
  const forget =
    process.pid === undefined
      ? undefined
      : recordProcess(join(options.dataDir, "pids"), {
          name: spec.name,
          pid: process.pid,
          stopSteps: [{ signal: "SIGTERM", graceMs: spec.graceMs }],
        });
  void ended.then(() => {
    forget?.();
    follow?.();
  });
  return {
    pid: process.pid,
    ended,
    ready: whenReady(process, hasEnded, spec.isReady),
    lastWords: () => lastWordsOf(log),
    stop: async (graceMs) => {
      const { pid } = process;
      if (pid !== undefined) await stopProcess({ pid, isAlive: () => !hasEnded(), steps: [{ signal: "SIGTERM", graceMs }] });
    },
  };
}

function whenReady(process: ChildProcess, hasEnded: () => boolean, isReady: (() => Promise<boolean>) | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (isReady === undefined) {
      process.on("message", (message) => isReadyMessage(message) && resolve());
      return;
    }
    const ask = async () => {
      if (hasEnded()) return;
      if (await isReady().catch(() => false)) resolve();
      else setTimeout(() => void ask(), READY_POLL_MS);
    };
    void ask();
  });
}

function isReadyMessage(message: unknown): boolean {
  return typeof message === "object" && message !== null && "type" in message && message.type === "ready";
}

type Log = { readonly path: string; readonly offset: number };

function logText(log: Log): string {
  try {
    return readFileSync(log.path).subarray(log.offset).toString("utf8");
  } catch {
    return "";
  }
}

function lastWordsOf(log: Log): string {
  const lines = logText(log)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const reason = lines.findLast((line) => /"fatal"|error/i.test(line));
  if (reason !== undefined) return `: ${messageOf(reason).slice(0, 300)} (log: ${log.path})`;
  // Without an error in the log, its last line says what the role did and not why it ended.
  const last = lines.at(-1);
  return last === undefined
    ? ` (log: ${log.path})`
    : `, without an error in its log; the last line is: ${messageOf(last).slice(0, 300)} (log: ${log.path})`;
}

// A line is JSON when the role wrote it, plain text when Node did.
function messageOf(line: string): string {
  try {
    const { msg } = JSON.parse(line) as { msg?: unknown };
    return typeof msg === "string" ? msg : line;
  } catch {
    return line;
  }
}

function followLog(log: Log, onOutput: (chunk: string) => void): () => void {
  let position = log.offset;
  const copy = () => {
    if (statSync(log.path).size <= position) return;
    const text = readFileSync(log.path).subarray(position);
    position += text.length;
    onOutput(text.toString("utf8"));
  };
  const timer = setInterval(copy, 100);
  return () => {
    clearInterval(timer);
    copy();
  };
}

function logFileOf(dataDir: string, name: string): string {
  return join(dataDir, "logs", `${name}.log`);
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
