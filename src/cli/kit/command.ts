import { parseArgs, type ParseArgsConfig } from "node:util";
import { messageOf } from "../../base/errors.ts";
import { ConfigError } from "../../config.ts";
import { printableLines } from "./printable.ts";

/** A command was called wrongly; the sentence says how. Its exit code is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A failure that is expected; its message is a sentence for a person. The exit code is `failureCode`. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}

type OptionsConfig = NonNullable<ParseArgsConfig["options"]>;

/** The options and words that a command was called with. */
export type CommandInput<Options extends OptionsConfig> = {
  readonly values: ReturnType<typeof parseArgs<{ options: Options }>>["values"];
  readonly positionals: readonly string[];
};

/**
 * Runs a command of the terminal and returns its exit code: that of `run`; 0 after `--help`; 2, with the usage, for options that the
 * command does not have; 2 for a UsageError; `failureCode` for any other error, with one sentence on stderr and no stack.
 */
export async function runCommand<const Options extends OptionsConfig>(command: {
  readonly name: string;
  readonly usage: string;
  readonly options: Options;
  /** How many words without an option the command takes; by default none. */
  readonly maxPositionals?: number;
  /** Errors whose message is a whole sentence for a person. */
  readonly expected?: readonly (abstract new (...args: never[]) => Error)[];
  readonly failureCode?: number;
  readonly args?: readonly string[];
  readonly run: (input: CommandInput<Options>) => Promise<number>;
}): Promise<number> {
  const { name, usage, maxPositionals = 0, expected = [], failureCode = 1 } = command;
  const args = [...(command.args ?? process.argv.slice(2))];
  if (args.includes("--help")) {
    process.stdout.write(usage);
    return 0;
  }
  let input: CommandInput<Options>;
  try {
    input = parseArgs({ args, options: command.options, allowPositionals: maxPositionals > 0 });
    const extra = input.positionals[maxPositionals];
    if (extra !== undefined) throw new UsageError(`${extra} is one word too many`);
  } catch (error) {
    process.stderr.write(`${name}: ${messageOf(error)}\n\n${usage}`);
    return 2;
  }
  try {
    return await command.run(input);
  } catch (error) {
    const isKnown = [UsageError, CommandFailure, ConfigError, ...expected].some((known) => error instanceof known);
    process.stderr.write(`${name}: ${printableLines(isKnown ? messageOf(error) : `it failed: ${messageOf(error)}`)}\n`);
    return error instanceof UsageError ? 2 : failureCode;
  }
}

/** An option's whole number. Throws: UsageError. */
export function wholeNumber(option: string, text: string, range: { readonly min: number; readonly max: number }): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= range.min && value <= range.max) return value;
  throw new UsageError(`${option} takes a whole number from ${range.min} to ${range.max}`);
}

/** An option's time in seconds, as milliseconds. Throws: UsageError. */
export function secondsAsMs(option: string, text: string): number {
  const ms = Number(text) * 1000;
  if (ms > 0 && Number.isFinite(ms)) return ms;
  throw new UsageError(`${option} takes seconds above zero`);
}
