import { parseArgs } from "node:util";
import { GROUPS } from "./groups.ts";
import { ROW_NAMES, type RowName } from "./report/row-texts.ts";

export interface Options {
  readonly quick: boolean;
  readonly json: boolean;
  readonly write: boolean;
  readonly help: boolean;
  /** The rows to measure; undefined when nothing was asked for. */
  readonly rows?: ReadonlySet<RowName>;
  /** Whether latency is plotted against load. */
  readonly plots: boolean;
  /** The folder that takes the roles' processor profiles. */
  readonly profileDir?: string;
}

/** The name under which `--only` asks for the plots. */
export const LOAD = "load";

export const USAGE = `npm run bench [-- options]

Measures Saldo against baselines of the same run. Absolute figures mean nothing on a shared machine; the ratios do.
Fails on a wrong result, never on a slow one.

  --quick            about five minutes, without the big tables and the plots
  --only NAME[,…]    a row or a group of rows, or ${LOAD} for the plots of latency against load:
${Object.entries(GROUPS)
  .map(([group, rows]) => `                     ${group}: ${rows.join(", ")}`)
  .join("\n")}
  --write            write docs/performance.md and its plots (a full run does)
  --cpuprofile DIR   a processor profile of each role in this folder
  --json             print JSON instead of a table
  --help             print this
`;

/** Reads the options. Throws: Error with a sentence when one is not known. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      cpuprofile: { type: "string" },
    },
  });
  const only = values.only?.flatMap((text) => text.split(",")).map((name) => name.trim());
  const isFull = !values.quick && only === undefined;
  return {
    quick: values.quick,
    json: values.json,
    help: values.help,
    write: values.write || isFull,
    plots: isFull || (only?.includes(LOAD) ?? false),
    ...(only === undefined ? {} : { rows: new Set(only.flatMap(rowsOf)) }),
    ...(values.cpuprofile === undefined ? {} : { profileDir: values.cpuprofile }),
  };
}

function rowsOf(name: string): readonly RowName[] {
  if (name === LOAD) return [];
  const rows = GROUPS[name] ?? ROW_NAMES.filter((row) => row === name);
  if (rows.length === 0) throw new Error(`there is no row or group ${name}: ${[...Object.keys(GROUPS), ...ROW_NAMES, LOAD].join(", ")}`);
  return rows;
}
