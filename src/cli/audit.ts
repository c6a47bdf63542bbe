import { resolve } from "node:path";
import { loadConfig, type Config } from "../config.ts";
import { pspKindOf } from "../config/psp-settings.ts";
import type { ProviderAgreement } from "../domain/orders/provider-agreement.ts";
import { holderOfDataDir } from "../stack/data-dir.ts";
import { readRunning } from "../stack/running.ts";
import { auditBooks, type AuditFinding, type AuditReport } from "../store/ledger/audit.ts";
import { createDatabase, type Db } from "../store/postgres/database.ts";
import { compareBooks, NoProviderBook, type ProviderAddress } from "./audit/provider-book.ts";
import { CommandFailure, runCommand } from "./kit/command.ts";
import { printableLines } from "./kit/printable.ts";

/** The audit reads every posting; a ledger of many millions takes minutes. */
const DEADLINE_MS = 3_600_000;
const EXAMPLES = 5;

const USAGE = `npm run audit [-- --json]

Proves the books from their postings, and compares them with the payment provider's own book where it shows one (the simulator does).
Exit code 0: every invariant holds; 1: an invariant is broken; 2: the audit could not be made.

  --json   print the findings as JSON
  --help   print this
`;

process.exitCode = await runCommand({
  name: "audit",
  usage: USAGE,
  options: { json: { type: "boolean", default: false } },
  failureCode: 2,
  run: async ({ values }) => {
    const report = await audit(loadConfig());
    process.stdout.write(printableLines(values.json ? `${JSON.stringify(report, numberOfBigint, 2)}\n` : describe(report)));
    return report.ok ? 0 : 1;
  },
});

/** The audit with the provider's book. `notCompared` says in words why that book was left out. */
interface FullReport extends AuditReport {
  readonly notCompared?: string;
}

async function audit(config: Config): Promise<FullReport> {
  const running = readRunning(resolve(config.DATA_DIR));
  const url = config.DATABASE_URL ?? running?.databaseUrl;
  const startingPid = holderOfDataDir(resolve(config.DATA_DIR));
  if (url === undefined && startingPid !== undefined)
    throw new CommandFailure(
      `Saldo is just starting from ${resolve(config.DATA_DIR)} (process ${startingPid}); try again when it is ready`,
    );
  if (url === undefined)
    throw new CommandFailure(`nothing runs from ${resolve(config.DATA_DIR)}; start it with npm start, or set DATABASE_URL`);
  const database = createDatabase({ url, name: "audit", laneCount: 1, deadlineMs: DEADLINE_MS });
  try {
    const report = await auditBooks(database.db);
    if (pspKindOf(config) === "stripe") return { ...report, notCompared: "Stripe's own list of payments is not read" };
    // The provider of the running system belongs to that system's database only.
    const provider =
      providerOf(config) ??
      (running?.databaseUrl === url ? providerOf({ PSP_URL: running.pspUrl, PSP_API_KEY: running.pspApiKey }) : undefined);
    return await withProvider(database.db, report, provider);
  } finally {
    await database.close();
  }
}

function providerOf(settings: {
  readonly PSP_URL?: string | undefined;
  readonly PSP_API_KEY?: string | undefined;
}): ProviderAddress | undefined {
  const { PSP_URL: url, PSP_API_KEY: apiKey } = settings;
  return url === undefined || apiKey === undefined ? undefined : { url, apiKey };
}

async function withProvider(db: Db, { ok, findings }: AuditReport, provider: ProviderAddress | undefined): Promise<FullReport> {
  if (provider === undefined) return { ok, findings, notCompared: "no payment provider is known: set PSP_URL and PSP_API_KEY" };
  try {
    const finding = findingOf(await compareBooks(db, provider));
    return { ok: ok && finding.broken === 0n, findings: [...findings, finding] };
  } catch (error) {
    if (error instanceof NoProviderBook) return { ok, findings, notCompared: error.message };
    throw error;
  }
}

function findingOf({ orders, disagreements, kept }: ProviderAgreement): AuditFinding {
  const sums = kept.map(
    ({ currency, providerMinor, ledgerMinor }) =>
      `${currency} ${providerMinor}${providerMinor === ledgerMinor ? "" : ` against ${ledgerMinor}`}`,
  );
  return {
    invariant: "I6",
    title: `the payment provider's book and the ledger agree on every order by card (kept, in minor units: ${sums.join(", ") || "nothing"})`,
    checked: BigInt(orders),
    broken: BigInt(disagreements.length),
    examples: disagreements.slice(0, EXAMPLES).map(({ orderId, words }) => `order ${orderId}: ${words}`),
  };
}

function describe(report: FullReport): string {
  const lines = report.findings.flatMap((finding) => [
    `${finding.broken === 0n ? "✓" : "✗"} ${finding.invariant}  ${finding.title}: ${finding.checked} checked, ${finding.broken} broken`,
    ...finding.examples.map((example) => `      ${example}`),
  ]);
  if (report.notCompared !== undefined) lines.push(`- I6  the payment provider's book was not compared: ${report.notCompared}`);
  return `${lines.join("\n")}\n${report.ok ? "The books are right." : "The books are NOT right."}\n`;
}

function numberOfBigint(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
