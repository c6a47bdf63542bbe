import { auditBooks } from "../src/store/ledger/audit.ts";
import { createDatabase } from "../src/store/postgres/database.ts";
import { asAdmin, createTwinDatabases, type BenchDatabase } from "./bench-database.ts";
import { createLedgerTransfers } from "./ledger-transfers.ts";
import { createPlainTransfers } from "./plain-transfers.ts";
import { interleave } from "./rounds.ts";
import { makeRow, type Row } from "./row.ts";

const ACCOUNTS = 10_000;
const HOT_ACCOUNT = ACCOUNTS / 2;
const LANES = 2;

export interface Plan {
  readonly rounds: number;
  readonly durationMs: number;
  readonly wanted: (name: string) => boolean;
  readonly say: (text: string) => void;
}

/** Measures transfers through the ledger against the same writes in plain SQL, on random accounts and all to one account. Throws: Error when the books are wrong afterwards. */
export async function measureLedgerRows(server: BenchDatabase, plan: Plan): Promise<Row[]> {
  const { ours, plain } = await createTwinDatabases(server, ACCOUNTS);
  const ledger = createLedgerTransfers({ appUrl: ours.appUrl, accountCount: ACCOUNTS, laneCount: LANES });
  const baseline = await createPlainTransfers({ adminUrl: plain.adminUrl, accountCount: ACCOUNTS });
  const rows: Row[] = [];
  const measure = async (name: string, what: string, goal: Row["goal"], hot: { hotAccount?: number }) => {
    plan.say(`${name}: ${plan.rounds} rounds`);
    const options = { durationMs: plan.durationMs, ...hot };
    const rounds = await interleave(plan.rounds, { ours: () => ledger.run(options), baseline: () => baseline.run(options) });
    const text = { name, what, baseline: `the same writes, one transfer per commit, 16 clients (${baseline.driver})`, unit: "/s" };
    rows.push(makeRow({ ...text, ...(goal === undefined ? {} : { goal }) }, rounds));
  };
  try {
    await ledger.run({ durationMs: 1_000 });
    await baseline.run({ durationMs: 1_000 });
    if (plan.wanted("transfers"))
      await measure("transfers", "transfers through the ledger, 256 at a time, random accounts", { atLeast: 1.5 }, {});
    if (plan.wanted("hot-transfers"))
      await measure("hot-transfers", "the same, all to one account", { atLeast: 8 }, { hotAccount: HOT_ACCOUNT });
  } finally {
    await ledger.close();
  }
  await checkBooks(ours, ledger.count());
  await checkBooks(plain, baseline.count());
  return rows;
}

async function checkBooks(database: BenchDatabase, transfers: number): Promise<void> {
  const [row] = await asAdmin(
    database.adminUrl,
    async (sql) => sql`select count(*) as found from operations where kind = 'transfer' and outcome = 'done'`,
  );
  if (Number(row?.["found"]) !== transfers)
    throw new Error(`${transfers} transfers were made and ${String(row?.["found"])} stand in the books`);
  const reader = createDatabase({ url: database.adminUrl, name: "bench-audit", laneCount: 1, deadlineMs: 600_000 });
  try {
    const audit = await auditBooks(reader.db);
    if (!audit.ok) throw new Error(`the books are wrong: ${audit.findings.flatMap((finding) => finding.examples).join("; ")}`);
  } finally {
    await reader.close();
  }
}
