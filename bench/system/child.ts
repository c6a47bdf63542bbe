import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ChildAnswer, Commands } from "../children/serve.ts";
import type { CpuMeter } from "../measure/cpu-meter.ts";
import { within } from "../measure/within.ts";

/** A child process of the benchmark, so that its processor time is not that of the load generator. */
export interface Child<Known extends Commands> {
  readonly pid: number;
  /** Runs a command in the child. Throws: Error with the child's words, or when `deadlineMs` passes. */
  call<Name extends keyof Known & string>(
    name: Name,
    input: Parameters<Known[Name]>[0],
    deadlineMs: number,
  ): Promise<Awaited<ReturnType<Known[Name]>>>;
  /** Ends the child, by force when it does not end by itself. Safe to retry. */
  stop(): Promise<void>;
}

const OPEN_DEADLINE_MS = 60_000;
const CLOSE_DEADLINE_MS = 20_000;

/** Starts the child whose program is `children/<program>.ts` and opens it. `label` is what it is called in the table of processor times. */
export async function startChild<Known extends Commands>(
  program: string,
  options: {
    readonly input: unknown;
    readonly label: string;
    readonly meter: CpuMeter;
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<Child<Known>> {
  const path = fileURLToPath(new URL(`../children/${program}.ts`, import.meta.url));
  const child = fork(path, [], {
    execArgv: ["--import", "tsx", "--enable-source-maps"],
    env: { ...process.env, KAFKAJS_NO_PARTITIONER_WARNING: "1", ...options.environment },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const { pid = 0 } = child;
  options.meter.label(pid, options.label);
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  child.on("message", ({ id, result, error }: ChildAnswer) => {
    const caller = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) caller?.resolve(result);
    else caller?.reject(new Error(error));
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      options.meter.forget(pid);
      for (const { reject } of waiting.values()) reject(new Error(`the child ${program} ended (${signal ?? code ?? "?"})`));
      waiting.clear();
      resolve();
    });
  });
  const call = (command: string, input: unknown, deadlineMs: number): Promise<unknown> => {
    lastId += 1;
    const id = lastId;
    const answered = new Promise((resolve, reject) => void waiting.set(id, { resolve, reject }));
    if (child.connected) child.send({ id, command, input });
    else waiting.get(id)?.reject(new Error(`the child ${program} has ended`));
    return within(deadlineMs, `${command} of ${program}`, answered);
  };
  const killAtExit = () => void child.kill("SIGKILL");
  process.on("exit", killAtExit);
  const stop = async () => {
    if (child.connected) await call("close", undefined, CLOSE_DEADLINE_MS).catch(() => undefined);
    child.kill("SIGKILL");
    await ended;
    process.off("exit", killAtExit);
  };
  try {
    await call("open", options.input, OPEN_DEADLINE_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid, call: call as Child<Known>["call"], stop };
}
