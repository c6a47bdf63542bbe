import { resolve } from "node:path";
import { loadConfig, type Config } from "../config.ts";
import { readRunning } from "../stack/running.ts";
import { auditBooks, type AuditReport } from "../store/audit.ts";
import { createDatabase } from "../store/database.ts";
import { CommandFailure, runCommand } from "./command.ts";

/** The audit reads every posting; a ledger of many millions takes minutes. */
const DEADLINE_MS = 3_600_000;

const USAGE = `npm run audit [-- --json]

Proves the books from their postings. Exit code 0: every invariant holds; 1: one is broken; 2: the audit could not be made.

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
    process.stdout.write(values.json ? `${JSON.stringify(report, numberOfBigint, 2)}\n` : describe(report));
    return report.ok ? 0 : 1;
  },
});

async function audit(config: Config): Promise<AuditReport> {
  const url = config.DATABASE_URL ?? readRunning(resolve(config.DATA_DIR))?.databaseUrl;
  if (url === undefined)
    throw new CommandFailure(`nothing runs from ${resolve(config.DATA_DIR)}; start it with npm start, or set DATABASE_URL`);
  const database = createDatabase({ url, name: "audit", laneCount: 1, deadlineMs: DEADLINE_MS });
  try {
    return await auditBooks(database.db);
  } finally {
    await database.close();
  }
}

function describe(report: AuditReport): string {
  const lines = report.findings.flatMap((finding) => [
    `${finding.broken === 0n ? "✓" : "✗"} ${finding.invariant}  ${finding.title}: ${finding.checked} checked, ${finding.broken} broken`,
    ...finding.examples.map((example) => `      ${example}`),
  ]);
  return `${lines.join("\n")}\n${report.ok ? "The books are right." : "The books are NOT right."}\n`;
}

function numberOfBigint(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
