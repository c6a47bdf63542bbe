import { readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DefaultLogger, Runtime } from "@temporalio/worker";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import { openReadingCodec } from "../adapters/payload-codec/payload-protection.ts";
import { loadConfig } from "../config.ts";
import { CommandFailure, runCommand } from "./kit/command.ts";
import { replayHistories, type ReplayReport } from "./replay/replay-histories.ts";

const RECORDED = fileURLToPath(new URL("../../test/replay/histories", import.meta.url));

const USAGE = `npm run replay -- [FILE...] [--json]

Replays histories of workflows through the workflow code as it stands here, without a server. Make a FILE with:

  temporal workflow show --workflow-id order/ID --output json > FILE

An encrypted history is read with the keys of TEMPORAL_PAYLOAD_KEYS or TEMPORAL_PAYLOAD_KEYS_FILE.

Without a FILE it replays all recorded histories of test/replay/histories. Exit code 0: the code issues the same commands as
every history; 1: it does not, or a file cannot be read; 2: a wrong option.

  --json   print the results as JSON
  --help   print this
`;

const code = await runCommand({
  name: "replay",
  usage: USAGE,
  maxPositionals: Number.MAX_SAFE_INTEGER,
  options: { json: { type: "boolean", default: false } },
  run: async ({ values, positionals }) => {
    const files = positionals.length > 0 ? positionals.map((file) => resolve(file)) : recordedHistories();
    // Each result is printed below in one line; the SDK would log each failure a second time.
    Runtime.install({ logger: new DefaultLogger("ERROR", () => {}), telemetryOptions: { logging: { filter: "off", forward: {} } } });
    const config = loadConfig();
    const reports = await replayHistories(files, await buildWorkflowBundle(config.CACHE_DIR), openReadingCodec(config));
    process.stdout.write(values.json ? `${JSON.stringify(reports, undefined, 2)}\n` : `${reports.map(describe).join("\n")}\n`);
    return reports.every((report) => report.ok) ? 0 : 1;
  },
});
// The SDK's runtime keeps the process alive when no worker was ever made, as with files that cannot be read.
process.stdout.write("", () => process.exit(code));

function recordedHistories(): string[] {
  const files = readdirSync(RECORDED)
    .filter((name) => name.endsWith(".json"))
    .toSorted();
  if (files.length === 0) throw new CommandFailure(`there is no recorded history in ${RECORDED}`);
  return files.map((name) => join(RECORDED, name));
}

function describe({ file, ok, workflow, events, reason }: ReplayReport): string {
  const name = relative(process.cwd(), file);
  const what = workflow === undefined ? "" : `  ${workflow}, ${events} events`;
  return ok ? `✓ ${name}${what}` : `✗ ${name}${what}\n    ${reason}`;
}
