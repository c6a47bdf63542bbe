import { randomUUID } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createActivities } from "../../activities/index.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createLogger } from "../../src/adapters/logger.ts";
import { createTemporal } from "../../src/adapters/temporal/temporal.ts";
import { codeOf } from "../../src/base/errors.ts";
import { sideBySide } from "../../src/base/side-by-side.ts";
import type { ReservationInput } from "../../src/contract/reservations.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { TEST_RUN_PREFIX } from "../../src/stack/processes/throw-away.ts";
import { startStack } from "../../src/stack/stack.ts";
import { createStarters } from "../../src/starters/index.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createLedger } from "../../src/store/ledger/ledger.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { migrateDatabase } from "../../src/store/postgres/migrate.ts";
import { getHold } from "../../src/store/reservations/holds.ts";
import { confirmReservation } from "../../src/use-cases/reservations/confirm-reservation.ts";
import { findReservation } from "../../src/use-cases/reservations/find-reservation.ts";
import { createReservationParts } from "../../src/use-cases/reservations/reservation-parts.ts";
import { createSaldoWorkers, installRuntime } from "../../workers/parts/create-worker.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import { endOnSignals, wordsOfRun } from "../support/chaos-run.ts";
import { createFakePsp } from "../support/fake-psp.ts";
import { TEST_SETTINGS } from "../support/http-api.ts";

const USAGE = `npm run chaos:reservations -- [COUNT]

On a Postgres and a Temporal of its own, by the API's code,
- COUNT reservations (1,000) are each confirmed at their end, within 50 ms before or after it;
- a hundred confirmations of one reservation, each with its own key, ten times.
Prints the outcomes and fails when a reservation has no outcome or two, or when the books are wrong afterwards.
`;

const [count = "1000"] = wordsOfRun(USAGE, 1);
const COUNT = Number(count);
const SPREAD_MS = 50;
/** The time between the ends of two reservations: the machine must keep up with the ends. */
const GAP_MS = 40;
const AMOUNT = 10_000n;
const CACHE_DIR = join(homedir(), ".cache", "saldo");
const PLACED_AT_ONCE = 20;

endOnSignals();
installRuntime(createLogger({ role: "race", level: "fatal", pretty: false }));
const stack = await startStack({
  servers: ["postgres", "temporal"],
  dataDir: join(tmpdir(), `${TEST_RUN_PREFIX}race-${randomUUID().slice(0, 8)}`),
  cacheDir: CACHE_DIR,
  ephemeral: true,
  ports: "free",
  onKillable: (kill) => void process.once("exit", kill),
});
let failed = true;
try {
  failed = !(await race());
} finally {
  await stack.stop();
}
process.exit(failed ? 1 : 0);

async function race(): Promise<boolean> {
  if (stack.postgres === undefined || stack.temporal === undefined) throw new Error("Postgres and Temporal are needed");
  const { adminUrl, appUrl: url } = stack.postgres;
  await migrateDatabase({ adminUrl, appUrl: url });
  const link = await createTemporal({ address: stack.temporal.address, namespace: "default", deadlineMs: 10_000, logger: SILENT_LOG });
  const database = createDatabase({ url, name: "race", laneCount: 4, deadlineMs: 10_000 });
  const ledger = createLedger({ url, name: "race", laneCount: 2, deadlineMs: 10_000 });
  const starters = createStarters({ client: link.client, eager: true, deadlineMs: 30_000 });
  const workers = await createSaldoWorkers({
    connection: link.connection,
    namespace: link.namespace,
    taskQueues: [TASK_QUEUES.orders],
    bundlePath: await buildWorkflowBundle(CACHE_DIR),
    activities: createActivities({
      db: database.db,
      ledger,
      psp: createFakePsp(),
      logger: SILENT_LOG,
      reportsDir: tmpdir(),
      openLane: database.openLane,
    }),
    cacheSize: 2_000,
  });
  const parts = createReservationParts({ db: database.db, ledger, starters, settings: TEST_SETTINGS });

  const place = async (ttlMs: number): Promise<string> => {
    const reservationId = randomUUID();
    const input: ReservationInput = {
      reservationId,
      userId: `user-${reservationId}`,
      serviceId: "seat",
      orderId: "order",
      currency: "RUB",
      amountMinor: AMOUNT.toString(),
      ttlMs,
      comment: "race",
      requestHash: reservationId,
      correlationId: "race",
      caller: "race",
    };
    const origin = { caller: "race", correlationId: "race" };
    await ledger.post(
      depositOperation({ key: `fund-${reservationId}`, userId: input.userId, currency: "RUB", amountMinor: AMOUNT, comment: "", origin }),
    );
    await starters.placeReservation(input);
    return reservationId;
  };
  const confirm = async (reservationId: string, key: string): Promise<string> => {
    try {
      const request = { key: `${reservationId}-${key}`, caller: "race", correlationId: "race" };
      await confirmReservation(parts, request, await findReservation(database.db, reservationId), undefined);
      return "confirmed";
    } catch (error) {
      return codeOf(error);
    }
  };
  const problems: string[] = [];

  // The first reservation ends when all of them are placed, and the others one after the other.
  const firstEndMs = Date.now() + COUNT * GAP_MS;
  const numbers = Array.from({ length: COUNT }, (_, n) => n);
  const outcomes: string[] = [];
  const waiting: Promise<void>[] = [];
  await sideBySide(numbers, PLACED_AT_ONCE, async (n) => {
    const reservationId = await place(firstEndMs + n * GAP_MS - Date.now());
    waiting.push(meetItsEnd(reservationId));
  });
  const placedLateMs = Date.now() - firstEndMs;
  await Promise.all(waiting);

  async function meetItsEnd(reservationId: string): Promise<void> {
    const { expiresAt } = await findReservation(database.db, reservationId);
    await sleep(Math.max(0, expiresAt.getTime() - Date.now() + (Math.random() * 2 - 1) * SPREAD_MS));
    const outcome = await confirm(reservationId, "race");
    outcomes.push(outcome);
    for (let n = 0; n < 400 && (await getHold(database.db, reservationId))?.status === "held"; n += 1) await sleep(50);
    const hold = await getHold(database.db, reservationId);
    const fits =
      (outcome === "confirmed" && hold?.status === "confirmed" && hold.capturedMinor === AMOUNT && hold.releasedMinor === 0n) ||
      (outcome === "RESERVATION_EXPIRED" && hold?.status === "expired" && hold.releasedMinor === AMOUNT && hold.capturedMinor === 0n);
    if (!fits) problems.push(`${reservationId}: answered ${outcome}, is ${String(hold?.status)}`);
  }

  const rounds: { readonly tally: Record<string, number>; readonly slowestMs: number }[] = [];
  for (let round = 0; round < 10; round += 1) {
    const reservationId = await place(600_000);
    const times: number[] = [];
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const startedMs = performance.now();
        const answer = await confirm(reservationId, String(n));
        times.push(performance.now() - startedMs);
        return answer;
      }),
    );
    const counts = tally(answers);
    rounds.push({ tally: counts, slowestMs: Math.round(Math.max(...times)) });
    if (counts["confirmed"] !== 1 || counts["ALREADY_CONFIRMED"] !== 99) problems.push(`of a hundred: ${JSON.stringify(counts)}`);
  }

  const audit = await auditBooks(database.db);
  process.stdout.write(
    `${JSON.stringify({ reservations: COUNT, outcomes: tally(outcomes), placedLateMs, rounds, problems: problems.slice(0, 10), audit: audit.ok }, undefined, 1)}\n`,
  );
  await workers.stop();
  await Promise.all([ledger.close(), database.close()]);
  await link.close();
  return problems.length === 0 && audit.ok;
}

function tally(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}
