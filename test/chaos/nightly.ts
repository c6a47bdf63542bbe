import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { runCommand } from "../../src/cli/kit/command.ts";

const USAGE = `npm run nightly -- [--only PART] [--logs FOLDER]

Runs, one after the other, what is too long for npm test: every double fault and every edge at which a worker is killed (npm run faults), and
each chaos command in its full length; an hour and a half on two cores. --only runs the parts whose name holds PART. The output of each part is kept
in FOLDER (default: .data/nightly). The last line is "N passed, N failed"; exit code 1 when a part failed.
`;

/** Each part is a command of package.json with its words. The bounds of time are those of the commands. */
const PARTS: readonly (readonly [script: string, ...words: string[]])[] = [
  ["faults"],
  ["chaos:transactions"],
  ["chaos:orders", "--kill-workers"],
  ["chaos:reservations"],
  ["chaos:cache", "60"],
  ["chaos:import"],
  // Three million rows fit into a heap of 64 MB only while the memory of an import does not grow with its file.
  ["chaos:import-memory", "3000000"],
  ["chaos:servers", "--kill", "kafka"],
  ["chaos:servers", "--kill", "temporal"],
  ["chaos:bridge"],
  ["chaos:tls"],
];

process.exitCode = await runCommand({
  name: "nightly",
  usage: USAGE,
  options: { only: { type: "string", default: "" }, logs: { type: "string", default: ".data/nightly" } },
  run: async ({ values: { only, logs } }) => {
    const parts = PARTS.filter((part) => part.join(" ").includes(only));
    mkdirSync(logs, { recursive: true });
    const failed: string[] = [];
    for (const part of parts) {
      const startedAtMs = Date.now();
      const log = resolve(join(logs, `${part.join("-").replaceAll(/[^a-z0-9-]+/g, "-")}.log`));
      const code = await runPart(part, log);
      const minutes = ((Date.now() - startedAtMs) / 60_000).toFixed(1);
      process.stdout.write(`${code === 0 ? "passed" : `FAILED (${code})`}  ${part.join(" ")}  ${minutes} min  ${log}\n`);
      if (code !== 0) failed.push(part.join(" "));
    }
    process.stdout.write(`${parts.length - failed.length} passed, ${failed.length} failed\n`);
    return failed.length === 0 && parts.length > 0 ? 0 : 1;
  },
});

async function runPart([script, ...words]: readonly [string, ...string[]], log: string): Promise<number | string> {
  const child = spawn("npm", ["run", "--silent", script, "--", ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const output = createWriteStream(log);
  child.stderr.pipe(output, { end: false });
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  await pipeline(child.stdout, output, { end: false });
  const [code, signal] = await ended;
  output.end();
  return code ?? signal ?? "no exit code";
}
