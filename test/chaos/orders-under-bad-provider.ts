import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runProviderStorm, unseenOf, type StormReport } from "../support/provider-storm.ts";
import { TROUBLE } from "../support/storm-plan.ts";

const USAGE = `npm run chaos:orders -- [--orders 1000] [--rate 0.3] [--seed N] [--kill-workers]

Places orders, half by card and half by wallet, at a system of its own whose payment provider answers badly; with --kill-workers
worker, api and provider are killed (SIGKILL) at seeded moments. When all orders have ended, the provider's book and the ledger
must agree to the cent, the books must be proved, and every outcome must have been seen.
`;

const DEADLINE_MS = 1_200_000;
/** Longer than the time until an attempt is repeated whose worker was killed. */
const PAYMENT_DEADLINE_MS = 180_000;
/** The cases that a storm of hundreds of orders must have seen; without them it proves nothing. */
const MUST_BE_SEEN = [
  "card COMPLETED",
  "wallet COMPLETED",
  "wallet INSUFFICIENT_FUNDS",
  "wallet ORDER_CANCELLED",
  "card ORDER_CANCELLED",
  "card PAYMENT_DECLINED",
  "card PSP_UNAVAILABLE",
  "captured and given back",
  "authorisation cancelled",
  "purchase booked",
  "refunded in part",
  ...TROUBLE,
];
const FEWEST_KILLS = 5;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      orders: { type: "string", default: "1000" },
      rate: { type: "string", default: "0.3" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      "kill-workers": { type: "boolean", default: false },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { "kill-workers": kills } = values;
  console.log(`seed ${values.seed}, ${values.orders} orders, ${values.rate} of the provider's answers bad${kills ? ", with kills" : ""}`);
  const report = await runProviderStorm({
    orders: Number(values.orders),
    rate: Number(values.rate),
    seed: Number(values.seed),
    kills,
    cacheDir: process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo"),
    deadlineMs: DEADLINE_MS,
    paymentDeadlineMs: PAYMENT_DEADLINE_MS,
    onNote: (text) => console.log(text),
    onKillable: (kill) => {
      process.once("exit", kill);
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
    },
  });
  const problems = [...report.problems, ...unseenOf(report, MUST_BE_SEEN).map((what) => `never seen: ${what}`)];
  if (kills && report.kills.length < FEWEST_KILLS) problems.push(`only ${report.kills.length} kills`);
  print(report);
  for (const problem of problems) console.log(`WRONG: ${problem}`);
  console.log(problems.length === 0 ? "The provider's book and the ledger agree to the cent." : `${problems.length} things are wrong.`);
  return problems.length === 0 ? 0 : 1;
}

function print(report: StormReport): void {
  const { kills } = report;
  const edges = new Map<string, number>();
  for (const { underWay } of kills) for (const [edge, count] of Object.entries(underWay)) edges.set(edge, (edges.get(edge) ?? 0) + count);
  const victims = Object.fromEntries(["worker", "api", "psp"].map((name) => [name, kills.filter(({ victim }) => victim === name).length]));
  console.log(JSON.stringify({ ...report, kills: victims, underWayAtKills: Object.fromEntries(edges) }, undefined, 1));
}
