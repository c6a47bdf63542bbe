import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MadeReport, ReportCommands } from "../children/report.ts";
import { measureRounds } from "../measure/rounds.ts";
import type { Plan } from "../plan.ts";
import { ratioRow, type Row } from "../report/row.ts";
import { startChild } from "../system/child.ts";
import { asAdmin, auditDatabase, fundUsers, type BenchDatabase, type DatabaseServer } from "../system/database.ts";
import { BIG, fillBigBooks, MONTH, revenueOfMonth, SALES_EACH, SMALL_MONTH, type BookSize } from "./big-books.ts";
import { createLedgerTransfers } from "./ledger-transfers.ts";
import { createPlainReport } from "./plain-report.ts";

const SMALL_ACCOUNTS = 10_000;
const REPORT_DEADLINE_MS = 120_000;
const WARM_UP_MS = 1_000;
const MEGABYTE = 1_048_576;

/** A month's report and single transfers over large books. Throws: Error when a sum is wrong or the books are. */
export async function measureBig(server: DatabaseServer, plan: Plan, size: BookSize = BIG): Promise<Row[]> {
  const big = await server.create("bench_big");
  await fillBigBooks(big, size, plan.say);
  await auditFast(big);
  const rows: Row[] = [];
  if (plan.wanted("report")) rows.push(await measureReport(big, plan, size));
  if (plan.wanted("big-transfers")) rows.push(await measureBigTransfers(server, big, plan, size));
  return rows;
}

async function measureReport(big: BenchDatabase, plan: Plan, size: BookSize): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), "saldo-bench-report-"));
  const expected = revenueOfMonth(size);
  const requireSum = (sum: number) => {
    if (sum !== expected) throw new Error(`a report has ${sum} minor units in place of ${expected}`);
  };
  const child = await startChild<ReportCommands>("report", { input: { appUrl: big.appUrl, folder }, label: "report", meter: plan.meter });
  try {
    const plain = await createPlainReport(big.adminUrl, { from: `${MONTH}-01T00:00:00Z`, to: "2025-12-01T00:00:00Z" });
    const make = (month: string) => child.call("make", { month }, REPORT_DEADLINE_MS);
    const small = await make(SMALL_MONTH);
    let last: MadeReport | undefined;
    plan.say(`report: ${plan.rounds} rounds`);
    const sides = {
      ours: async () => {
        last = await make(MONTH);
        requireSum(last.revenueMinor);
        return { figure: last.seconds, operations: 1 };
      },
      baseline: async () => {
        const { seconds, revenueMinor } = await plain.make(join(folder, "plain.csv"));
        requireSum(revenueMinor);
        return { figure: seconds, operations: 1 };
      },
    };
    await sides.ours();
    await sides.baseline();
    const measured = await measureRounds(plan.rounds, sides, plan.meter);
    const notes = [
      `The baseline's file was made by ${plain.driver}.`,
      memoryNote({ sales: size.smallSales * SALES_EACH, ...small }, { sales: size.sales * SALES_EACH, ...last }),
    ];
    return ratioRow("report", measured.ours, measured.baseline, notes);
  } finally {
    await child.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Peak {
  readonly sales: number;
  readonly peakBytes?: number;
}

function memoryNote(small: Peak, large: Peak): string {
  if (small.peakBytes === undefined || large.peakBytes === undefined) return "The peak of the memory is not known here.";
  const text = ({ sales, peakBytes = 0 }: Peak) => `${Math.round(peakBytes / MEGABYTE)} MB with ${sales.toLocaleString("en")} postings`;
  return `The peak memory of the process that makes the report: ${text(small)}, ${text(large)}.`;
}

async function measureBigTransfers(server: DatabaseServer, big: BenchDatabase, plan: Plan, size: BookSize): Promise<Row> {
  const small = await server.create("bench_small");
  await fundUsers(small, SMALL_ACCOUNTS);
  const open = (database: BenchDatabase, accountCount: number) =>
    createLedgerTransfers({ appUrl: database.appUrl, accountCount, laneCount: 1 });
  const [ours, baseline] = [open(big, size.users), open(small, SMALL_ACCOUNTS)];
  try {
    for (const side of [ours, baseline]) await side.latency({ durationMs: WARM_UP_MS });
    plan.say(`big-transfers: ${plan.rounds} rounds`);
    const { durationMs } = plan;
    const sides = { ours: () => ours.latency({ durationMs }), baseline: () => baseline.latency({ durationMs }) };
    const measured = await measureRounds(plan.rounds, sides, plan.meter);
    const [row] = await asAdmin(
      big.adminUrl,
      async (sql) => sql`select count(*)::int as found from operations where kind = 'transfer' and outcome = 'done'`,
    );
    if (row?.["found"] !== ours.count())
      throw new Error(`${ours.count()} transfers were made and ${String(row?.["found"])} stand in the books`);
    await auditDatabase(small.adminUrl);
    return ratioRow("big-transfers", measured.ours, measured.baseline);
  } finally {
    await Promise.all([ours.close(), baseline.close()]);
  }
}

/** Proves the filled books once, with memory for the sorting of twenty million lines; the transfers afterwards are counted. */
async function auditFast({ adminUrl }: BenchDatabase): Promise<void> {
  const url = new URL(adminUrl);
  url.searchParams.set("options", "-c work_mem=256MB");
  await auditDatabase(url.toString());
}
