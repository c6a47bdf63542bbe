import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createTemporal } from "../../src/adapters/temporal.ts";
import { formatAmount } from "../../src/base/money.ts";
import { sideBySide } from "../../src/base/side-by-side.ts";
import { compareBooks } from "../../src/cli/audit/provider-book.ts";
import { createApiClient, type ApiClient } from "../../src/cli/kit/api-client.ts";
import { createTokenSource } from "../../src/cli/kit/operator-token.ts";
import { seededRandom } from "../../src/cli/kit/seeded-random.ts";
import { ROLE_ENTRIES } from "../../src/cli/start/roles.ts";
import { createStartSteps } from "../../src/cli/start/start-steps.ts";
import { startSystem, type System } from "../../src/cli/start/system.ts";
import { inheritedEnvironment, loadConfig } from "../../src/config.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createDatabase, type Db } from "../../src/store/postgres/database.ts";
import { cancelOrder, createPatientClient, placeOrder, type PatientClient } from "./storm-client.ts";
import { planStorm, POOR_MINOR, RICH_MINOR, STORM_SERVICES, type StormOrder } from "./storm-plan.ts";
import { createProviderHand, pidOf } from "./storm-provider.ts";

export interface StormOptions {
  readonly orders: number;
  /** The share of requests that the provider answers badly, 0 to 1. */
  readonly rate: number;
  readonly seed: number;
  /** Kills worker, api (which hosts a worker too) and provider at seeded moments while orders are under way. */
  readonly kills: boolean;
  readonly cacheDir: string;
  readonly deadlineMs: number;
  /** How long an order waits for the provider. */
  readonly paymentDeadlineMs: number;
  readonly onNote?: (text: string) => void;
  readonly onKillable?: (kill: () => void) => void;
}

export interface StormKill {
  readonly victim: string;
  readonly atMs: number;
  /** The orders under way at the kill, by the edge that they stood at. */
  readonly underWay: Readonly<Record<string, number>>;
}

export interface StormReport {
  /** Orders by how they are paid and how they ended. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Requests to the provider by the behaviour of its answer. Requests that it forgot with a kill before they were counted are missing. */
  readonly answers: Readonly<Record<string, number>>;
  readonly kills: readonly StormKill[];
  /** How many requests the clients had to send again. */
  readonly repeats: number;
  readonly reconciled: number;
  readonly operatorRetries: number;
  readonly placedSeconds: number;
  readonly finalSeconds: number;
  readonly captures: number;
  /** The money kept of finished orders, by the provider's book and by the ledger. */
  readonly kept: readonly { readonly currency: string; readonly providerMinor: string; readonly ledgerMinor: string }[];
  /** What is wrong, in words; empty when everything is right. */
  readonly problems: readonly string[];
}

const AT_ONCE = 16;
const TEND_MS = 2_000;
const RECONCILE_MS = 6_000;
/** Temporal notices a dead worker after 45 s: with more kills no order would ever be undone. */
const KILL_PAUSE_MS = { min: 4_000, max: 14_000 };
const MOST_KILLS = 40;
const VICTIMS = ["worker", "api", "worker", "api", "psp"] as const;
const PORTS = ["HTTP", "PURCHASES", "POSTGRES", "TEMPORAL", "TEMPORAL_UI", "KAFKA", "REDIS", "PSP"] as const;

/**
 * Places the orders of a seed at a real system of its own, whose provider answers badly, and waits until all of them have ended; then
 * compares the provider's book with the ledger and proves the books. Throws: StackError, and Error when orders do not end in time.
 */
export async function runProviderStorm(options: StormOptions): Promise<StormReport> {
  const folder = await mkdtemp(join(tmpdir(), "saldo-storm-"));
  const settings = {
    ...Object.fromEntries(PORTS.map((name) => [`${name}_PORT`, "0"])),
    DATA_DIR: join(folder, "data"),
    CACHE_DIR: options.cacheDir,
    LOG_LEVEL: "warn",
    RATE_LIMIT_PER_MINUTE: "0",
    RATE_LIMIT_PER_USER: "0",
    PSP_TIMEOUT_MS: "2000",
    ORDER_PAYMENT_DEADLINE_MS: String(options.paymentDeadlineMs),
    COMPENSATION_FAST_RETRIES: "4",
  };
  const config = loadConfig(settings, folder);
  const system = await startSystem({
    config,
    environment: { ...inheritedEnvironment(), ...settings },
    ephemeral: false,
    entries: ROLE_ENTRIES,
    steps: createStartSteps(config),
    ...(options.onKillable === undefined ? {} : { onKillable: options.onKillable }),
  });
  const database = createDatabase({ url: system.running.databaseUrl, name: "storm", laneCount: 2, deadlineMs: 30_000 });
  try {
    const { apiUrl: baseUrl } = system.running;
    const token = createTokenSource(config, { baseUrl, subject: "storm", roles: ["admin", "service"] });
    return await storm({
      options,
      system,
      db: database.db,
      api: createApiClient({ baseUrl, token, deadlineMs: 40_000 }),
      dataDir: config.DATA_DIR,
    });
  } finally {
    await database.close();
    await system.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Stage {
  readonly options: StormOptions;
  readonly system: System;
  readonly db: Db;
  readonly api: ApiClient;
  readonly dataDir: string;
}

async function storm(stage: Stage): Promise<StormReport> {
  const { options, db, system } = stage;
  const note = options.onNote ?? (() => undefined);
  const problems: string[] = [];
  const provider = createProviderHand(stage);
  const client = createPatientClient(stage.api, problems);
  const plan = planStorm(options);

  await client.post("/api/v1/services", { services: STORM_SERVICES.map((id) => ({ id, name: id })) }, "services");
  await sideBySide(fundsOf(plan), AT_ONCE, async ([userId, amountMinor]) => {
    await client.post(
      `/api/v1/balances/${userId}/deposits`,
      { amount: formatAmount(amountMinor, "RUB"), currency: "RUB" },
      `fund-${userId}`,
    );
  });
  await provider.tend();

  const startedAtMs = performance.now();
  const elapsedMs = () => Math.round(performance.now() - startedAtMs);
  const over = new AbortController();
  const tending = tend(stage, { provider, client, over: over.signal });
  const killing = options.kills ? killAround(stage, { provider, over: over.signal, elapsedMs, note }) : Promise.resolve([]);
  let placedMs: number;
  try {
    // A cancellation is answered when the order is undone, however long the provider takes.
    const cancelling: Promise<void>[] = [];
    await sideBySide(plan, AT_ONCE, async (order) => {
      const orderId = await placeOrder(client, order);
      if (orderId !== undefined && order.cancelAfterMs !== undefined)
        cancelling.push(
          cancelOrder(client, { ...order, orderId }).catch((error: unknown) => void problems.push(`a cancellation: ${String(error)}`)),
        );
    });
    placedMs = elapsedMs();
    note(`${plan.length} orders placed after ${placedMs} ms`);
    await refundSome(stage, client);
    await untilFinal(stage, note);
    await Promise.all(cancelling);
  } finally {
    over.abort();
  }
  const finalMs = elapsedMs();
  const { reconciled, operatorRetries } = await tending;
  const kills = await killing;

  const agreement = await compareBooks(db, provider.address);
  for (const { orderId, words } of agreement.disagreements) problems.push(`order ${orderId}: ${words}`);
  for (const { currency, providerMinor, ledgerMinor } of agreement.kept)
    if (providerMinor !== ledgerMinor) problems.push(`the provider keeps ${providerMinor} ${currency}, the ledger ${ledgerMinor}`);
  const audit = await auditBooks(db);
  for (const finding of audit.findings) if (finding.broken > 0n) problems.push(`${finding.invariant}: ${finding.examples.join("; ")}`);
  problems.push(...(await openWorkflows(system)));
  return {
    outcomes: await outcomesOf(db),
    answers: await provider.answers(),
    kills,
    repeats: client.repeats(),
    reconciled,
    operatorRetries,
    placedSeconds: Math.round(placedMs / 100) / 10,
    finalSeconds: Math.round(finalMs / 100) / 10,
    captures: await provider.captures(),
    kept: agreement.kept.map(({ currency, providerMinor, ledgerMinor }) => ({
      currency,
      providerMinor: providerMinor.toString(),
      ledgerMinor: ledgerMinor.toString(),
    })),
    problems,
  };
}

/** The cases that were not seen although a storm must see them to prove anything. */
export function unseenOf(report: StormReport, wanted: readonly string[]): string[] {
  return wanted.filter((what) => (report.outcomes[what] ?? 0) === 0 && (report.answers[what] ?? 0) === 0);
}

function fundsOf(plan: readonly StormOrder[]): (readonly [string, bigint])[] {
  return [...new Set(plan.map(({ userId }) => userId))].map((userId) => [
    userId,
    userId.startsWith("storm-poor") ? POOR_MINOR : RICH_MINOR,
  ]);
}

/** Refunds a part of some completed orders while the provider still answers badly. */
async function refundSome({ db, options }: Stage, client: PatientClient): Promise<void> {
  const rows = await db.execute<{ id: string }>(sql`
    select id from orders where saga_state = 'COMPLETED' order by id limit ${Math.max(2, Math.floor(options.orders / 20))}::integer`);
  await sideBySide(rows, AT_ONCE, async ({ id }) => {
    await client.post(`/api/v1/orders/${id}/refunds`, { amount: "1.00", reason: "storm" }, `refund-${id}`, "respond-async");
  });
}

/** Does the work of the provider's and Saldo's operators: reconciles keys with a stored error, and retries stuck orders. */
async function tend(
  { api }: Stage,
  { provider, over }: { provider: ReturnType<typeof createProviderHand>; client: PatientClient; over: AbortSignal },
): Promise<{ reconciled: number; operatorRetries: number }> {
  const done = { reconciled: 0, operatorRetries: 0 };
  let reconcileAtMs = performance.now() + RECONCILE_MS;
  while (!over.aborted) {
    await sleep(TEND_MS, undefined, { signal: over }).catch(() => undefined);
    try {
      await provider.tend();
      if (performance.now() < reconcileAtMs) continue;
      reconcileAtMs = performance.now() + RECONCILE_MS;
      done.reconciled += await provider.reconcile();
      const { orders = [] } = (await api.get("/api/v1/orders?stuck=true&limit=100")).body as { orders?: { orderId: string }[] };
      for (const { orderId } of orders) {
        const answer = await api.post(`/api/v1/orders/${orderId}/operator-acts`, { act: "retry", reason: "storm" });
        if (answer.status === 202) done.operatorRetries += 1;
      }
    } catch {
      // A killed process answers at the next round.
    }
  }
  return done;
}

async function killAround(
  { options, dataDir, db }: Stage,
  run: {
    provider: ReturnType<typeof createProviderHand>;
    over: AbortSignal;
    elapsedMs: () => number;
    note: (text: string) => void;
  },
): Promise<StormKill[]> {
  const random = seededRandom(options.seed + 1);
  const kills: StormKill[] = [];
  while (!run.over.aborted && kills.length < MOST_KILLS) {
    await sleep(KILL_PAUSE_MS.min + random() * (KILL_PAUSE_MS.max - KILL_PAUSE_MS.min), undefined, { signal: run.over }).catch(
      () => undefined,
    );
    const victim = VICTIMS[Math.floor(random() * VICTIMS.length)] ?? "worker";
    if (run.over.aborted) break;
    if (victim === "psp") await run.provider.count().catch(() => undefined);
    const underWay = await edgesOf(db);
    const pid = pidOf(dataDir, victim);
    if (pid === undefined) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      continue;
    }
    kills.push({ victim, atMs: run.elapsedMs(), underWay });
    run.note(`killed ${victim} at ${run.elapsedMs()} ms: ${JSON.stringify(underWay)}`);
  }
  return kills;
}

async function edgesOf(db: Db): Promise<Record<string, number>> {
  const rows = await db.execute<{ edge: string; count: string }>(sql`
    select o.payment_method || ' ' || o.saga_state || '/' || coalesce(p.status, 'none') as edge, count(*) as count
      from orders o left join payments p on p.order_id = o.id where o.saga_state not in ('COMPLETED', 'FAILED') group by 1`);
  return Object.fromEntries(rows.map(({ edge, count }) => [edge, Number(count)]));
}

async function untilFinal({ db, options }: Stage, note: (text: string) => void): Promise<void> {
  const deadlineMs = performance.now() + options.deadlineMs;
  for (let look = 0; ; look += 1) {
    const [row] = await db.execute<{ orders: string; open: string; refunds: string }>(sql`
      select (select count(*) from orders) as orders, (select count(*) from orders where saga_state not in ('COMPLETED', 'FAILED')) as open,
             (select count(*) from refunds where status = 'pending') as refunds`);
    if (Number(row?.orders) === options.orders && Number(row?.open) === 0 && Number(row?.refunds) === 0) return;
    const words = `${row?.orders} orders written, ${row?.open} not ended, ${row?.refunds} refunds under way`;
    if (performance.now() > deadlineMs) throw new Error(`after ${options.deadlineMs} ms: ${words}; ${JSON.stringify(await edgesOf(db))}`);
    if (look % 20 === 19) note(words);
    await sleep(500);
  }
}

async function outcomesOf(db: Db): Promise<Record<string, number>> {
  const rows = await db.execute<{ what: string; count: string }>(sql`
    select payment_method || ' ' || coalesce(failure_code, saga_state) as what, count(*) as count from orders group by 1
    union all
    select 'captured and given back', count(*) from orders o join payments p on p.order_id = o.id
     where o.saga_state = 'FAILED' and p.captured_minor > 0 and p.captured_minor = p.refunded_minor
    union all
    select 'authorisation cancelled', count(*) from payments where method = 'card' and status = 'cancelled'
    union all
    select 'purchase booked', count(*) from orders where id like 'purchase-%' and saga_state = 'COMPLETED'
    union all
    select 'refunded in part', count(*) from refunds where status = 'done'
    union all
    select 'settled by hand', count(*) from orders where settled_by_hand is not null
    order by 1`);
  return Object.fromEntries(rows.map(({ what, count }) => [what, Number(count)]));
}

/** A row may say that an order has ended while its workflow has not. */
async function openWorkflows({ running }: System): Promise<string[]> {
  const link = await createTemporal({ address: running.temporalAddress, namespace: "default", deadlineMs: 10_000, logger: SILENT_LOG });
  try {
    for (const deadlineMs = performance.now() + 30_000; ; await sleep(500)) {
      const query = `WorkflowType IN ("orderSaga", "orderRefund") AND ExecutionStatus = "Running"`;
      const { count } = await link.client.workflow.count(query);
      if (count === 0) return [];
      if (performance.now() > deadlineMs) return [`${count} workflows of orders still run`];
    }
  } finally {
    await link.close();
  }
}
