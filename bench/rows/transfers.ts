import { measureRounds } from "../measure/rounds.ts";
import type { Plan } from "../plan.ts";
import type { RowName } from "../report/row-texts.ts";
import { ratioRow, type Row } from "../report/row.ts";
import { asAdmin, auditDatabase, fundUsers, type BenchDatabase, type DatabaseServer } from "../system/database.ts";
import { createLedgerTransfers } from "./ledger-transfers.ts";
import { createPlainTransfers } from "./plain-transfers.ts";

const ACCOUNTS = 10_000;
const HOT_ACCOUNT = ACCOUNTS / 2;
const LANES = 2;
const WARM_UP_MS = 1_000;

/**
 * Transfers through the ledger against the same writes in plain SQL, on random accounts and all to one account. Both sides have a
 * database of the same tables, indexes, constraints and rows. Throws: Error when the books are wrong afterwards.
 */
export async function measureTransfers(server: DatabaseServer, plan: Plan): Promise<Row[]> {
  const ours = await server.create("bench_saldo");
  await fundUsers(ours, ACCOUNTS);
  const plain = await server.copy("bench_saldo", "bench_plain");
  const ledger = createLedgerTransfers({ appUrl: ours.appUrl, accountCount: ACCOUNTS, laneCount: LANES });
  const baseline = await createPlainTransfers({ adminUrl: plain.adminUrl, accountCount: ACCOUNTS });
  const rows: Row[] = [];
  const measure = async (name: RowName, hotAccount: number) => {
    if (!plan.wanted(name)) return;
    plan.say(`${name}: ${plan.rounds} rounds`);
    const options = { durationMs: plan.durationMs, hotAccount };
    const sides = { ours: () => ledger.run(options), baseline: () => baseline.run(options) };
    const measured = await measureRounds(plan.rounds, sides, plan.meter);
    rows.push(ratioRow(name, measured.ours, measured.baseline, [`The baseline's calls were made by ${baseline.driver}.`]));
  };
  try {
    await ledger.run({ durationMs: WARM_UP_MS });
    await baseline.run({ durationMs: WARM_UP_MS });
    await measure("transfers", 0);
    await measure("hot-transfers", HOT_ACCOUNT);
  } finally {
    await ledger.close();
  }
  await checkTransfers(ours, ledger.count());
  await checkTransfers(plain, baseline.count());
  return rows;
}

async function checkTransfers(database: BenchDatabase, transfers: number): Promise<void> {
  const [row] = await asAdmin(
    database.adminUrl,
    async (sql) => sql`select count(*) as found from operations where kind = 'transfer' and outcome = 'done'`,
  );
  if (Number(row?.["found"]) !== transfers)
    throw new Error(`${transfers} transfers were made and ${String(row?.["found"])} stand in the books`);
  await auditDatabase(database.adminUrl);
}
