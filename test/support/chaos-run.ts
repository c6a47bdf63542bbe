import { parseArgs } from "node:util";
import { messageOf } from "../../src/base/errors.ts";

/**
 * The words that a script of test/chaos was called with. Ends the process with 0 after `--help`, which prints the usage, and with 2 for an option or
 * for a word more than `maxWords`. For scripts that are no function; the others use `runCommand`.
 */
export function wordsOfRun(usage: string, maxWords: number): readonly string[] {
  const args = process.argv.slice(2);
  if (args.includes("--help")) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    const { positionals } = parseArgs({ args, options: {}, allowPositionals: true });
    if (positionals.length > maxWords) throw new Error(`${positionals[maxWords]} is one word too many`);
    return positionals;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${usage}`);
    process.exit(2);
  }
}

/** Ends this process, and so runs what is to happen at its exit, at a signal and when its output is closed. */
export function endOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"] as const) process.once(signal, () => process.exit(1));
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => process.exit(1));
}
