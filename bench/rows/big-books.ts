import type postgres from "postgres";
import { asAdmin, CURRENCY, type BenchDatabase } from "../system/database.ts";

/** How large the books are. Users have deposits; services have sales of a month, and a few of the month before. */
export interface BookSize {
  readonly users: number;
  readonly depositsEach: number;
  readonly services: number;
  /** Operations of ten sales each in `MONTH`, and in `SMALL_MONTH`. Their sales must be a multiple of the services. */
  readonly sales: number;
  readonly smallSales: number;
}

/** 1,000,000 users with 5,000,000 postings, and 5,000,000 more that a month's report adds up. */
export const BIG: BookSize = { users: 1_000_000, depositsEach: 5, services: 1_000, sales: 500_000, smallSales: 100 };
export const SALES_EACH = 10;
export const MONTH = "2025-11";
export const SMALL_MONTH = "2025-10";
const DEPOSIT_MINOR = 100_000;

/** What the sales of service number `s` cost: each service has a price of its own, so that a wrong sum cannot pass for a right one. */
const PRICE = "(100 + s)";

/**
 * Fills a migrated database by SQL with books that hold every invariant: numbered postings with the balances after each, operations with
 * the sum of their postings. Indexes are made afterwards, which takes a tenth of the time; the triggers that check each posting are passed
 * over, and the audit proves the books instead.
 */
export async function fillBigBooks(database: BenchDatabase, size: BookSize, say: (text: string) => void): Promise<void> {
  await asAdmin(database.adminUrl, async (sql) => {
    await sql.unsafe("set session_replication_role = replica");
    await sql.unsafe("set synchronous_commit = off");
    await sql.unsafe("set maintenance_work_mem = '512MB'");
    const indexes = await dropIndexes(sql);
    for (const [what, statement] of statementsOf(size)) {
      say(`filling: ${what}`);
      await sql.unsafe(statement);
    }
    for (const [name, definition] of indexes) {
      say(`indexing: ${name}`);
      await sql.unsafe(definition);
    }
    await sql.unsafe("vacuum (analyze, freeze)");
  });
}

/** The revenue of the month that the filled books must show, in minor units. */
export function revenueOfMonth({ services, sales }: BookSize): number {
  const rounds = (sales * SALES_EACH) / services;
  return rounds * (100 * services + (services * (services - 1)) / 2);
}

async function dropIndexes(sql: postgres.Sql): Promise<[string, string][]> {
  const found = await sql`
    select i.indexname, i.indexdef from pg_indexes i
     where i.schemaname = 'public' and i.tablename in ('operations', 'postings')
       and not exists (select 1 from pg_constraint c where c.conname = i.indexname)`;
  for (const { indexname } of found) await sql.unsafe(`drop index ${String(indexname)}`);
  return found.map(({ indexname, indexdef }) => [String(indexname), String(indexdef)]);
}

function statementsOf({ users, depositsEach, services, sales, smallSales }: BookSize): [string, string][] {
  const allSales = sales + smallSales;
  const roundMinor = 100 * services + (services * (services - 1)) / 2;
  const salesRounds = (allSales * SALES_EACH) / services;
  const [psp, external, firstRevenue] = [users + 1, users + 2, users + 3];
  const hash = "repeat('0', 64)";
  // A sale is number n of all, of service s = n mod services, in round r of the services.
  const soldMinor = `(r * ${roundMinor}::bigint + 100 * (s + 1) + s * (s + 1) / 2)`;
  // The small month has the first sales, so that both months hold whole rounds of the services.
  const soldAt = (k: string) =>
    `case when ${k} < ${smallSales} then timestamptz '${SMALL_MONTH}-15 12:00+00' else timestamptz '${MONTH}-02 00:00+00' + ${k} * interval '4 seconds' end`;
  return [
    [
      `${users.toLocaleString("en")} users`,
      `insert into accounts (kind, owner, currency, balance_minor, version)
       select 'available', 'user-' || n, '${CURRENCY}', ${depositsEach * DEPOSIT_MINOR}, ${depositsEach} from generate_series(1, ${users}) n`,
    ],
    [
      "the accounts of the house",
      `insert into accounts (kind, owner, currency, balance_minor, version) values
         ('psp', '', '${CURRENCY}', -${salesRounds * roundMinor}, ${allSales * SALES_EACH}),
         ('external', '', '${CURRENCY}', -${users * depositsEach * DEPOSIT_MINOR}, ${users * depositsEach})`,
    ],
    [
      `${services.toLocaleString("en")} services`,
      `with made as (
         insert into services (id, name) select 'service-' || s, 'Service ' || s from generate_series(0, ${services - 1}) s
       )
       insert into accounts (kind, owner, currency, balance_minor, version)
       select 'revenue', 'service-' || s, '${CURRENCY}', ${salesRounds} * ${PRICE}, ${salesRounds} from generate_series(0, ${services - 1}) s order by s`,
    ],
    [
      "operations of deposits",
      `insert into operations (key, content_hash, kind, outcome, currency, amount_minor, user_id, caller, correlation_id, comment, effective_at, recorded_at)
       select 'bench:fill:deposit:' || n, ${hash}, 'deposit', 'done', '${CURRENCY}', ${depositsEach * DEPOSIT_MINOR}, 'user-' || n, 'bench', 'bench', 'filled',
              timestamptz '2025-09-15 12:00+00', timestamptz '2025-09-15 12:00+00'
         from generate_series(1, ${users}) n`,
    ],
    [
      "operations of sales",
      `insert into operations (key, content_hash, kind, outcome, currency, amount_minor, user_id, service_id, caller, correlation_id, comment, effective_at, recorded_at)
       select 'bench:fill:sale:' || k, ${hash}, 'charge', 'done', '${CURRENCY}',
              (select sum(100 + (k * ${SALES_EACH} + j) % ${services}) from generate_series(0, ${SALES_EACH - 1}) j),
              'user-' || (1 + k % ${users}), 'service-' || (k * ${SALES_EACH} % ${services}), 'bench', 'bench', 'filled', ${soldAt("k")}, ${soldAt("k")}
         from generate_series(0, ${allSales - 1}) k`,
    ],
    [
      `${(users * depositsEach).toLocaleString("en")} postings of deposits`,
      `insert into postings (operation_id, currency, debit_account, credit_account, amount_minor, debit_balance_minor, debit_version, credit_balance_minor, credit_version, effective_at, recorded_at)
       select n, '${CURRENCY}', ${external}, n, ${DEPOSIT_MINOR}, -${DEPOSIT_MINOR}::bigint * ((n - 1) * ${depositsEach} + v), (n - 1) * ${depositsEach} + v, ${DEPOSIT_MINOR} * v, v,
              timestamptz '2025-09-15 12:00+00', timestamptz '2025-09-15 12:00+00'
         from generate_series(1, ${users}) n, generate_series(1, ${depositsEach}) v`,
    ],
    [
      `${(allSales * SALES_EACH).toLocaleString("en")} postings of sales`,
      `insert into postings (operation_id, currency, debit_account, credit_account, amount_minor, debit_balance_minor, debit_version, credit_balance_minor, credit_version,
                             service_id, service_name, revenue_minor, effective_at, recorded_at)
       select ${users} + 1 + k, '${CURRENCY}', ${psp}, ${firstRevenue} + s, ${PRICE}, -${soldMinor}, n + 1, (r + 1) * ${PRICE}, r + 1,
              'service-' || s, 'Service ' || s, ${PRICE}, ${soldAt("k")}, ${soldAt("k")}
         from (select n, n / ${SALES_EACH} as k, n % ${services} as s, n / ${services} as r from generate_series(0::bigint, ${allSales * SALES_EACH - 1}) n) sale`,
    ],
  ];
}
