import { execFile, spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { signalGroup } from "./stop-process.ts";

/** The absolute path of a program on PATH, or undefined. */
export async function findOnPath(program: string): Promise<string | undefined> {
  const found = await tryCommand("/bin/sh", ["-c", 'command -v -- "$1"', "sh", program]);
  const path = found?.trim();
  return path !== undefined && path.startsWith("/") ? path : undefined;
}

/** The output of a short command, or undefined when it failed or took longer than `timeoutMs`. */
export function tryCommand(command: string, args: readonly string[], timeoutMs = 10_000): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(command, [...args], { timeout: timeoutMs, encoding: "utf8" }, (error, stdout, stderr) => {
      resolve(error === null ? `${stdout}${stderr}` : undefined);
    });
  });
}

/**
 * Runs a long command in its own process group to its end; an abort kills the whole group.
 * Throws: Error with the last lines the command printed.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  options: {
    signal?: AbortSignal | undefined;
    user?: { uid: number; gid: number } | undefined;
    cwd?: string;
    /** On top of this process's own environment. */
    env?: Readonly<Record<string, string>>;
  } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted === true) {
      reject(new Error(`${command} was not run: stopped.`));
      return;
    }
    const child = spawn(command, [...args], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      ...options.user,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
    });
    let output = "";
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(-4_000);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const abort = () => child.pid !== undefined && signalGroup(child.pid, "SIGKILL");
    options.signal?.addEventListener("abort", abort, { once: true });
    process.once("exit", abort);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("exit", abort);
      options.signal?.removeEventListener("abort", abort);
      if (code === 0) resolve();
      else reject(new Error(`${command} failed (${signal ?? `exit code ${code}`}): ${lastLines(output)}`));
    });
  });
}

function lastLines(output: string): string {
  const lines = stripVTControlCharacters(output)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^at [\w.$]+[(]/.test(line));
  return lines.slice(-3).join(" ").slice(0, 500);
}
