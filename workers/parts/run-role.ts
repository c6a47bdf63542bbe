import { sentenceOf } from "../../src/stack/stack-error.ts";

/** Within this time after the order to stop, the process ends even when its work does not. Longer than any role's own grace. */
const FORCED_EXIT_MS = 30_000;

/** npm passes Ctrl-C on to its child, which the terminal has already told: two orders within this time are one. */
const SAME_ORDER_MS = 500;

export type RoleContext = {
  /** Aborts once: on SIGTERM, on SIGINT, or when the process that started this role is gone. */
  readonly signal: AbortSignal;
  /** Tells the supervisor, where there is one, that the role does its work from now on. */
  readonly ready: () => void;
};

/**
 * Runs the main function of a role as this process: one order to stop, which `main` obeys by returning; then exit 0.
 * When `main` throws, or anything is left uncaught, one line on stderr says why and the exit code is 1.
 * A second order to stop, or half a minute without an end, ends the process at once.
 */
export async function runRole(name: string, main: (context: RoleContext) => Promise<void>): Promise<never> {
  const stop = new AbortController();
  let orderedAtMs = 0;
  const fail = (error: unknown) => {
    process.stderr.write(
      `${JSON.stringify({ level: "fatal", role: name, msg: sentenceOf(error), stack: error instanceof Error ? error.stack : undefined })}\n`,
    );
    process.exit(1);
  };
  const order = () => {
    if (stop.signal.aborted) {
      if (performance.now() - orderedAtMs > SAME_ORDER_MS) process.exit(1);
      return;
    }
    orderedAtMs = performance.now();
    stop.abort();
    setTimeout(() => process.exit(1), FORCED_EXIT_MS).unref();
  };
  process.on("SIGTERM", order);
  process.on("SIGINT", order);
  // The channel closes when the supervisor ends, however it ends; nobody would stop this role later.
  process.on("disconnect", () => stop.signal.aborted || order());
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  try {
    await main({ signal: stop.signal, ready: () => void process.send?.({ type: "ready" }) });
  } catch (error) {
    fail(error);
  }
  process.exit(0);
}
