import { homedir } from "node:os";
import { join } from "node:path";
import { runCommand, secondsAsMs, UsageError, wholeNumber } from "../../src/cli/kit/command.ts";
import { runServerDeath, type ServerDeathReport } from "../support/server-death.ts";

const USAGE = `npm run chaos:servers -- --kill kafka|temporal [--down 30] [--rate 300] [--seconds 90] [--seed N] [--timeout 180]
         [--keep-logs]

Runs a whole system of its own under a steady load of purchase events and kills one server (SIGKILL) in the midst of it. It is away for
--down seconds (default: 30 for temporal; 0 for kafka, which its keeper starts again at once). Says how long it took until the events
flowed again and the backlogs were gone; fails only when an event or a message is lost, doubled or dead-lettered, or never done.
`;

const OPTIONS = {
  kill: { type: "string" },
  down: { type: "string" },
  rate: { type: "string", default: "300" },
  seconds: { type: "string", default: "90" },
  seed: { type: "string", default: String(Date.now() % 1_000_000) },
  timeout: { type: "string", default: "180" },
  "keep-logs": { type: "boolean", default: false },
} as const;

process.exitCode = await runCommand({
  name: "chaos:servers",
  usage: USAGE,
  options: OPTIONS,
  async run({ values }) {
    const { kill, down = kill === "temporal" ? "30" : "0" } = values;
    if (kill !== "kafka" && kill !== "temporal") throw new UsageError("--kill takes kafka or temporal");
    const seed = wholeNumber("--seed", values.seed, { min: 0, max: 2_147_483_647 });
    const rate = wholeNumber("--rate", values.rate, { min: 1, max: 10_000 });
    const downMs = down === "0" ? 0 : secondsAsMs("--down", down);
    // Without this handler a signal would leave the servers behind.
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
    const report = await runServerDeath({
      kill,
      downMs,
      rate,
      seconds: secondsAsMs("--seconds", values.seconds) / 1_000,
      seed,
      cacheDir: process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo"),
      timeoutMs: secondsAsMs("--timeout", values.timeout),
      keepLogs: values["keep-logs"],
      onNote: (text) => console.error(text),
      onKillable: (killAll) => void process.once("exit", killAll),
    });
    console.log(JSON.stringify({ kill, downSeconds: downMs / 1_000, rate, seed, ...report }));
    console.log(inWords(kill, report));
    return report.problems.length === 0 ? 0 : 1;
  },
});

function inWords(kill: string, report: ServerDeathReport): string {
  if (report.problems.length > 0) return `${report.problems.join("; ")} (logs: ${report.logDir}).`;
  const { events, notifications, serverBack, consumerCommits, lagOfOneSecond, lagZero, loadOver, outboxEmpty } = report;
  return (
    `0 lost, 0 doubled, 0 dead letters of ${events} events, ${notifications} notifications; after the kill of ${kill} it answered again in ` +
    `${serverBack} s, the consumer committed again in ${consumerCommits} s, no more than a second's load waited after ${lagOfOneSecond} s, ` +
    `nothing after ${lagZero} s (the load ended after ${loadOver} s), and the outbox was empty after ${outboxEmpty} s.`
  );
}
