import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { findOnPath } from "../../src/stack/processes/run-command.ts";
import { closedLoop } from "../measure/load.ts";
import type { Sample } from "../measure/rounds.ts";

const SCRIPT = fileURLToPath(new URL("plain-transfer.sql", import.meta.url));
const CLIENTS = 16;
const PROGRAM_DEADLINE_MS = 60_000;

export interface PlainTransfers {
  /** Which program made the baseline's calls: `pgbench` or `postgres.js`. */
  readonly driver: string;
  /** Transfers per second, one per commit, from 16 clients. `hotAccount` takes all of them; without it both sides are random. */
  run(options: { durationMs: number; hotAccount?: number }): Promise<Sample>;
  /** How many transfers all runs together have committed. */
  count(): number;
}

/** The baseline: the same writes in plain SQL, by pgbench where there is one, else by the driver that Saldo uses. */
export async function createPlainTransfers(options: { adminUrl: string; accountCount: number }): Promise<PlainTransfers> {
  const pgbench = await findOnPath("pgbench");
  let committed = 0;
  let runs = 0;
  return {
    driver: pgbench === undefined ? "postgres.js" : "pgbench",
    count: () => committed,
    async run({ durationMs, hotAccount = 0 }) {
      runs += 1;
      const measure = pgbench === undefined ? runByDriver : runByPgbench(pgbench);
      const { perSecond, count } = await measure({ ...options, durationMs, hotAccount, run: runs });
      committed += count;
      return { figure: perSecond, operations: count };
    },
  };
}

interface PlainRun {
  readonly adminUrl: string;
  readonly accountCount: number;
  readonly durationMs: number;
  readonly hotAccount: number;
  readonly run: number;
}

interface PlainResult {
  readonly perSecond: number;
  readonly count: number;
}

function runByPgbench(program: string) {
  return async (plan: PlainRun): Promise<PlainResult> => {
    const url = new URL(plan.adminUrl);
    const seconds = String(Math.max(1, Math.round(plan.durationMs / 1000)));
    const variables = { accounts: plan.accountCount, hot: plan.hotAccount, run: plan.run, n: 0 };
    const output = await runProgram(
      program,
      [
        `--host=${url.hostname}`,
        `--port=${url.port}`,
        `--username=${decodeURIComponent(url.username)}`,
        `--client=${CLIENTS}`,
        `--time=${seconds}`,
        `--file=${SCRIPT}`,
        "--protocol=prepared",
        "--no-vacuum",
        ...Object.entries(variables).map(([name, value]) => `--define=${name}=${value}`),
        url.pathname.slice(1),
      ],
      { PGPASSWORD: decodeURIComponent(url.password) },
    );
    const perSecond = Number(/tps = ([\d.]+)/.exec(output)?.[1]);
    const count = Number(/transactions actually processed: (\d+)/.exec(output)?.[1]);
    const failed = Number(/failed transactions: (\d+)/.exec(output)?.[1] ?? 0);
    if (!Number.isFinite(perSecond) || !Number.isFinite(count) || failed > 0)
      throw new Error(`pgbench gave no clean result:\n${output.slice(-2_000)}`);
    return { perSecond, count };
  };
}

function runProgram(program: string, args: readonly string[], environment: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    // The program gets an environment of its own, and none of the variables of this process.
    execFile(
      program,
      [...args],
      { env: { PATH: "/usr/bin:/bin", ...environment }, maxBuffer: 16_777_216, timeout: PROGRAM_DEADLINE_MS },
      (error, stdout, stderr) => {
        if (error === null) resolve(`${stdout}${stderr}`);
        else reject(new Error(`pgbench failed: ${`${stdout}${stderr}`.slice(-2_000)}`));
      },
    );
  });
}

async function runByDriver(plan: PlainRun): Promise<PlainResult> {
  const sql = postgres(plan.adminUrl, { max: CLIENTS, fetch_types: false, onnotice: () => undefined });
  let n = 0;
  try {
    const { figure: perSecond } = await closedLoop({
      concurrency: CLIENTS,
      durationMs: plan.durationMs,
      work: async () => {
        n += 1;
        await plainTransfer(sql, plan, n);
      },
    });
    return { perSecond, count: n };
  } finally {
    await sql.end({ timeout: 5 });
  }
}

// The statements of plain-transfer.sql, with one round trip for each, as pgbench makes them.
async function plainTransfer(sql: postgres.Sql, plan: PlainRun, n: number): Promise<void> {
  const { accountCount, hotAccount } = plan;
  let from = 1 + Math.floor(Math.random() * accountCount);
  const to = hotAccount > 0 ? hotAccount : 1 + ((from + Math.floor(Math.random() * (accountCount - 1))) % accountCount);
  if (from === to) from = 1 + (to % accountCount);
  const amount = 1 + Math.floor(Math.random() * 100);
  const [users, key] = [[`user-${from}`, `user-${to}`] as const, `bench:${plan.run}:driver:${n}`];
  await sql.begin(async (transaction) => {
    const change = async (id: number, by: number) => {
      const [row] =
        await transaction`update accounts set balance_minor = balance_minor + ${by}, version = version + 1 where id = ${id} returning balance_minor, version`;
      return row as { balance_minor: string; version: string };
    };
    const low = await change(Math.min(from, to), from < to ? -amount : amount);
    const high = await change(Math.max(from, to), from < to ? amount : -amount);
    const [debit, credit] = from < to ? [low, high] : [high, low];
    const [operation] = await transaction`
      insert into operations (key, content_hash, kind, outcome, currency, amount_minor, user_id, peer_user_id, caller, correlation_id, comment, effective_at, recorded_at)
      values (${key}, '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', 'transfer', 'done', 'RUB', ${amount}, ${users[0]}, ${users[1]}, 'bench', 'bench',
              'a transfer of the benchmark', now(), now()) returning id`;
    await transaction`
      insert into postings (operation_id, currency, debit_account, credit_account, amount_minor, debit_balance_minor, debit_version, credit_balance_minor, credit_version, effective_at, recorded_at)
      values (${operation?.["id"] as string}, 'RUB', ${from}, ${to}, ${amount}, ${debit.balance_minor}, ${debit.version}, ${credit.balance_minor}, ${credit.version}, now(), now())`;
    await transaction`
      insert into outbox (aggregate_type, aggregate_id, topic, message_key, payload, headers)
      select 'user', u.id, 'notifications', u.id, jsonb_build_object('operationId', ${operation?.["id"] as string}::bigint::text, 'operation', 'transfer', 'userId', u.id, 'amountMinor',
             ${amount}::bigint::text, 'currency', 'RUB', 'serviceId', null, 'orderId', null, 'reservationId', null, 'peerUserId', u.peer, 'comment', 'a transfer of the benchmark',
             'occurredAt', now(), 'recordedAt', now()), '{"correlation-id": "bench"}'
        from (values (${users[0]}::text, ${users[1]}::text), (${users[1]}::text, ${users[0]}::text)) as u(id, peer)`;
  });
}
