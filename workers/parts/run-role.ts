import { sentenceOf } from "../../src/stack/stack-error.ts";
import { createStopOrders } from "./stop-orders.ts";

/** How long after the first order to stop the process ends, even when its work does not. Longer than any role's own grace. */
const FORCED_EXIT_MS = 30_000;

export type RoleContext = {
  /** Aborts once: on SIGTERM, on SIGINT, or when the process that started this role is gone. */
  readonly signal: AbortSignal;
  /** Tells the supervisor, if there is one, that the role does its work from now on. */
  readonly ready: () => void;
};

/**
 * Runs `main` as the role of this process. At an order to stop `main` has to return; then the exit code is 0.
 * When `main` throws, or an error stays uncaught, one line on stderr says why and the exit code is 1.
 * A second order to stop ends the process at once, and so does half a minute without an end.
 */
export async function runRole(name: string, main: (context: RoleContext) => Promise<void>): Promise<never> {
  const stopOrders = createStopOrders();
  const fail = (error: unknown) => {
    process.stderr.write(
      `${JSON.stringify({ level: "fatal", role: name, msg: sentenceOf(error), stack: error instanceof Error ? error.stack : undefined })}\n`,
    );
    process.exit(1);
  };
  const onOrder = () => {
    const order = stopOrders.take();
    if (order === "first") setTimeout(() => process.exit(1), FORCED_EXIT_MS).unref();
    if (order === "more") process.exit(1);
  };
  process.on("SIGTERM", onOrder);
  process.on("SIGINT", onOrder);
  // The channel closes when the supervisor ends, however it ends: no other process would stop this role later.
  process.on("disconnect", () => stopOrders.signal.aborted || onOrder());
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  try {
    await main({ signal: stopOrders.signal, ready: () => void process.send?.({ type: "ready" }) });
  } catch (error) {
    fail(error);
  }
  process.exit(0);
}
