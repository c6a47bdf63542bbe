import postgres from "postgres";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createLedger } from "../../src/store/ledger/ledger.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { migrateDatabase } from "../../src/store/postgres/migrate.ts";

export interface BenchDatabase {
  readonly appUrl: string;
  readonly adminUrl: string;
}

export interface DatabaseServer extends BenchDatabase {
  /** Makes a database of this name with Saldo's tables. */
  create(name: string): Promise<BenchDatabase>;
  /** Makes a database of this name without any table. */
  createEmpty(name: string): Promise<BenchDatabase>;
  /** Makes a copy of a database that nobody is connected to. */
  copy(from: string, name: string): Promise<BenchDatabase>;
}

export const CURRENCY = "RUB";
const FUNDS_MINOR = 1_000_000_000n;
const AUDIT_DEADLINE_MS = 600_000;

/** The user who owns account number `n`, counted from 1. */
export function userOfAccount(n: number): string {
  return `user-${n}`;
}

/** The databases of a server that runs. */
export function createDatabaseServer(address: BenchDatabase): DatabaseServer {
  const named = (name: string) => ({ appUrl: withDatabase(address.appUrl, name), adminUrl: withDatabase(address.adminUrl, name) });
  return {
    ...address,
    async create(name) {
      await asAdmin(address.adminUrl, (sql) => sql.unsafe(`create database ${name}`));
      await migrateDatabase(named(name));
      return named(name);
    },
    async createEmpty(name) {
      await asAdmin(address.adminUrl, (sql) => sql.unsafe(`create database ${name}`));
      return named(name);
    },
    async copy(from, name) {
      await asAdmin(address.adminUrl, (sql) => sql.unsafe(`create database ${name} template ${from}`));
      return named(name);
    },
  };
}

/** Makes `accountCount` funded users whose available accounts have the ids 1, 2, 3 and so on. The database must be empty. */
export async function fundUsers(database: BenchDatabase, accountCount: number): Promise<void> {
  await asAdmin(database.adminUrl, (sql) =>
    sql.unsafe(
      `insert into accounts (kind, owner, currency) select 'available', 'user-' || n, '${CURRENCY}' from generate_series(1, ${Math.trunc(accountCount)}) n`,
    ),
  );
  const ledger = createLedger({ url: database.appUrl, name: "bench-fund", laneCount: 2, deadlineMs: 60_000 });
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
  await asAdmin(database.adminUrl, (sql) => sql.unsafe("vacuum analyze"));
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

/** Proves the books from their postings. Throws: Error with the first examples of what is wrong. */
export async function auditDatabase(url: string): Promise<void> {
  const database = createDatabase({ url, name: "bench-audit", laneCount: 1, deadlineMs: AUDIT_DEADLINE_MS });
  try {
    const audit = await auditBooks(database.db);
    if (!audit.ok) throw new Error(`the books are wrong: ${audit.findings.flatMap((finding) => finding.examples).join("; ")}`);
  } finally {
    await database.close();
  }
}

/** The address of another database of the same server. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.toString();
}
