import postgres from "postgres";
import { depositOperation } from "../src/domain/ledger/wallet-operations.ts";
import { createLedger } from "../src/store/ledger/ledger.ts";
import { migrateDatabase } from "../src/store/postgres/migrate.ts";

export interface BenchDatabase {
  readonly appUrl: string;
  readonly adminUrl: string;
}

export const CURRENCY = "RUB";
const FUNDS_MINOR = 1_000_000_000n;

/** The user who owns account number `n`, counted from 1. */
export function userOfAccount(n: number): string {
  return `user-${n}`;
}

/**
 * Makes two equal databases: migrated, with `accountCount` funded users whose available accounts have the ids 1, 2, 3 and so on.
 * One is for Saldo, the other for the same writes in plain SQL: same tables, indexes, constraints and rows.
 */
export async function createTwinDatabases(
  server: BenchDatabase,
  accountCount: number,
): Promise<{ ours: BenchDatabase; plain: BenchDatabase }> {
  const ours = { appUrl: withDatabase(server.appUrl, "bench_saldo"), adminUrl: withDatabase(server.adminUrl, "bench_saldo") };
  const plain = { appUrl: withDatabase(server.appUrl, "bench_plain"), adminUrl: withDatabase(server.adminUrl, "bench_plain") };
  await asAdmin(server.adminUrl, (sql) => sql.unsafe("create database bench_saldo"));
  await migrateDatabase(ours);
  await asAdmin(ours.adminUrl, (sql) =>
    sql.unsafe(
      `insert into accounts (kind, owner, currency) select 'available', 'user-' || n, '${CURRENCY}' from generate_series(1, ${Math.trunc(accountCount)}) n`,
    ),
  );
  const ledger = createLedger({ url: ours.appUrl, name: "bench-fund", laneCount: 2, deadlineMs: 60_000 });
  try {
    await ledger.postAll(
      Array.from({ length: accountCount }, (_, place) =>
        depositOperation({
          key: `bench:fund:${place + 1}`,
          userId: userOfAccount(place + 1),
          currency: CURRENCY,
          amountMinor: FUNDS_MINOR,
          comment: "funds of the benchmark",
          origin: { caller: "bench", correlationId: "bench" },
        }),
      ),
    );
  } finally {
    await ledger.close();
  }
  await asAdmin(ours.adminUrl, (sql) => sql.unsafe("vacuum analyze"));
  await asAdmin(server.adminUrl, (sql) => sql.unsafe("create database bench_plain template bench_saldo"));
  return { ours, plain };
}

/** Runs the work on one connection of the superuser and closes it. */
export async function asAdmin<Result>(url: string, work: (sql: postgres.Sql) => PromiseLike<Result>): Promise<Result> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.toString();
}
