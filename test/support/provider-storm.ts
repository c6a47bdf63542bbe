import { rm } from "node:fs/promises";
import { join } from "node:path";
import { formatAmount } from "../../src/base/money.ts";
import { sideBySide } from "../../src/base/side-by-side.ts";
import { compareBooks } from "../../src/cli/audit/provider-book.ts";
import { createApiClient } from "../../src/cli/kit/api-client.ts";
import { createTokenSource } from "../../src/cli/kit/operator-token.ts";
import { ROLE_ENTRIES } from "../../src/cli/start/role-entries.ts";
import { createStartSteps } from "../../src/cli/start/start-steps.ts";
import { startSystem } from "../../src/cli/start/system.ts";
import { inheritedEnvironment, loadConfig } from "../../src/config.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { openWorkflows, outcomesOf, untilFinal } from "./storm-books.ts";
import { AT_ONCE, cancel, createPatientClient, place, refundSome } from "./storm-client.ts";
import { killAround, type StormKill } from "./storm-kills.ts";
import { planStorm, POOR_MINOR, RICH_MINOR, STORM_SERVICES, type StormOrder } from "./storm-plan.ts";
import { createProviderHand, tendProvider } from "./storm-provider.ts";
import type { Stage, StormOptions } from "./storm-stage.ts";
import { makeThrowAwayFolder } from "./throw-away-folder.ts";

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

const PORTS = ["HTTP", "PURCHASES", "POSTGRES", "TEMPORAL", "TEMPORAL_UI", "KAFKA", "REDIS", "PSP"] as const;

/**
 * Places the orders of a seed at a real system of its own, whose provider answers badly, and waits until all of them have ended; then
 * compares the provider's book with the ledger and proves the books. Throws: StackError, and Error when orders do not end in time.
 */
export async function runProviderStorm(options: StormOptions): Promise<StormReport> {
  const folder = makeThrowAwayFolder("storm");
  const settings = {
    ...Object.fromEntries(PORTS.map((name) => [`${name}_PORT`, "0"])),
    DATA_DIR: join(folder, "data"),
    CACHE_DIR: options.cacheDir,
    LOG_LEVEL: "warn",
    RATE_LIMIT_PER_MINUTE: "0",
    RATE_LIMIT_PER_USER: "0",
    OVERLOAD_TARGET_MS: "0",
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
  const tending = tendProvider(stage, { provider, over: over.signal });
  const killing = options.kills ? killAround(stage, { provider, over: over.signal, elapsedMs, note }) : Promise.resolve([]);
  let placedMs: number;
  try {
    // A cancellation is answered when the order is undone, however long the provider takes.
    const cancelling: Promise<void>[] = [];
    await sideBySide(plan, AT_ONCE, async (order) => {
      const orderId = await place(client, order);
      if (orderId !== undefined && order.cancelAfterMs !== undefined)
        cancelling.push(
          cancel(client, { ...order, orderId }).catch((error: unknown) => void problems.push(`a cancellation: ${String(error)}`)),
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
