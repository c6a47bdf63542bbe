import { randomUUID } from "node:crypto";
import { z } from "zod";
import { createApiClient, readAnswer, type ApiClient } from "../src/cli/kit/api-client.ts";
import { mintToken } from "../src/cli/kit/operator-token.ts";
import { loadConfig } from "../src/config.ts";
import { auditBooks } from "../src/store/ledger/audit.ts";
import { createDatabase } from "../src/store/postgres/database.ts";
import { createEmptyWorkflows } from "./empty-workflows.ts";
import type { Plan } from "./ledger-rows.ts";
import { interleave, median, ratePerSecond } from "./rounds.ts";
import { makeRow, type Row } from "./row.ts";

const USERS = 200;
const IN_FLIGHT = 50;
const TOKEN_TTL_MS = 12 * 3_600_000;
const SERVICE = "bench-service";
const FUNDS = "9000000";
const PRICE = "1.00";
const PRICE_MINOR = 100n;

/** The addresses of the measured system. */
export interface MeasuredSystem {
  readonly apiUrl: string;
  readonly databaseUrl: string;
  readonly keysDir?: string | undefined;
  readonly temporalAddress: string;
  readonly namespace: string;
}

/** Measures orders over HTTP until they are COMPLETED, against empty workflows on the same server. Throws: Error when an order is not COMPLETED or the books are wrong afterwards. */
export async function measureOrderRows(system: MeasuredSystem, plan: Plan): Promise<Row[]> {
  const { token } = await mintToken(loadConfig(), { subject: "bench", roles: ["service"], ttlMs: TOKEN_TTL_MS }, system.keysDir);
  const api = createApiClient({ baseUrl: system.apiUrl, token: async () => token });
  await prepare(api);
  const empty = await createEmptyWorkflows({ address: system.temporalAddress, namespace: system.namespace });
  let placed = 0;
  const order = async () => {
    placed += 1;
    await placeOrder(api, `bench-user-${placed % USERS}`);
  };
  const rows: Row[] = [];
  const { rounds, durationMs } = plan;
  const rate = (work: () => Promise<void>) => () => ratePerSecond({ concurrency: IN_FLIGHT, durationMs, work });
  const latency = (work: () => Promise<void>) => () => medianLatencyMs({ durationMs, work });
  const ordinary = () => empty.execute({ eager: false });
  const eager = () => empty.execute({ eager: true });
  try {
    await ratePerSecond({ concurrency: IN_FLIGHT, durationMs: 2_000, work: order });
    await ratePerSecond({ concurrency: IN_FLIGHT, durationMs: 1_000, work: ordinary });
    if (plan.wanted("orders")) {
      plan.say(`orders: ${rounds} rounds, twice`);
      const text = {
        name: "orders",
        what: "wallet orders over HTTP to COMPLETED, 50 at a time",
        baseline: "empty workflows, 50 at a time",
        unit: "/s",
      };
      rows.push(makeRow({ ...text, goal: { atLeast: 0.7 } }, await interleave(rounds, { ours: rate(order), baseline: rate(ordinary) })));
      rows.push(
        makeRow(
          { ...text, name: "orders-eager", baseline: "empty workflows, started eagerly" },
          await interleave(rounds, { ours: rate(order), baseline: rate(eager) }),
        ),
      );
    }
    if (plan.wanted("order-latency")) {
      plan.say(`order-latency: ${rounds} rounds`);
      const text = {
        name: "order-latency",
        what: "POST with Prefer: wait to COMPLETED, one at a time",
        baseline: "an empty workflow, start to result",
        unit: "ms",
      };
      rows.push(makeRow({ ...text, goal: { atMost: 2 } }, await interleave(rounds, { ours: latency(order), baseline: latency(ordinary) })));
    }
  } finally {
    await empty.close();
  }
  await checkBooks(system, placed);
  return rows;
}

async function prepare(api: ApiClient): Promise<void> {
  readAnswer(await api.post("/api/v1/services", { id: SERVICE, name: "Benchmark" }, { idempotencyKey: randomUUID() }), [201], z.unknown());
  await Promise.all(
    Array.from({ length: USERS }, async (_, place) =>
      readAnswer(
        await api.post(`/api/v1/balances/bench-user-${place}/deposits`, { amount: FUNDS }, { idempotencyKey: randomUUID() }),
        [201],
        z.unknown(),
      ),
    ),
  );
}

const completedOrder = z.object({ sagaState: z.literal("COMPLETED") });

async function placeOrder(api: ApiClient, userId: string): Promise<void> {
  const body = { userId, items: [{ serviceId: SERVICE, amount: PRICE }], comment: "an order of the benchmark" };
  readAnswer(await api.post("/api/v1/orders", body, { idempotencyKey: randomUUID(), prefer: "wait=30" }), [201], completedOrder);
}

async function medianLatencyMs(options: { durationMs: number; work: () => Promise<void> }): Promise<number> {
  const latencies: number[] = [];
  const endsAtMs = performance.now() + options.durationMs;
  while (performance.now() < endsAtMs) {
    const startedAtMs = performance.now();
    await options.work();
    latencies.push(performance.now() - startedAtMs);
  }
  return median(latencies);
}

async function checkBooks(system: MeasuredSystem, placed: number): Promise<void> {
  const database = createDatabase({ url: system.databaseUrl, name: "bench-audit", laneCount: 1, deadlineMs: 600_000 });
  try {
    const [revenue] = await database.db.execute<{ balance: string }>(
      `select coalesce(sum(balance_minor), 0) as balance from accounts where kind = 'revenue' and owner = '${SERVICE}'`,
    );
    if (BigInt(revenue?.balance ?? 0) !== BigInt(placed) * PRICE_MINOR)
      throw new Error(`${placed} orders were paid and their revenue is ${revenue?.balance ?? "missing"} minor units`);
    const audit = await auditBooks(database.db);
    if (!audit.ok) throw new Error(`the books are wrong: ${audit.findings.flatMap((finding) => finding.examples).join("; ")}`);
  } finally {
    await database.close();
  }
}
