import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DefaultLogger, Runtime } from "@temporalio/worker";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createPsp } from "../../src/adapters/psp/psp-http.ts";
import { createTemporal } from "../../src/adapters/temporal/temporal.ts";
import { seededRandom } from "../../src/cli/kit/seeded-random.ts";
import { orderWorkflowId, reservationWorkflowId } from "../../src/contract/ids.ts";
import type { OrderSagaInput } from "../../src/contract/orders.ts";
import type { ReservationInput } from "../../src/contract/reservations.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createStarters, type Starters } from "../../src/starters/index.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { beginPause } from "../../src/store/operators/pauses.ts";
import { getOrder } from "../../src/store/orders/orders.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import type { Edge, EdgeWorkerInput } from "../support/edge-worker.ts";
import { startPspSimulator, type TestPsp } from "../support/psp.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { makeTestNamespace } from "../support/test-namespace.ts";
import { until } from "../support/until.ts";

const TOTAL = 10_000n;
const ENTRY = fileURLToPath(new URL("../support/edge-worker.ts", import.meta.url));
/** A worker that died is noticed after 10 s in a workflow's task and after 45 s in a step at the provider. */
const PATIENCE_MS = 150_000;
/** So short that a capture whose outcome stays unknown is undone while the test watches, and long enough for a slow machine to reach the capture. */
const PAYMENT_DEADLINE_MS = 20_000;

let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let bundlePath: string;
let folder: string;

beforeAll(async () => {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger("ERROR") });
  testDatabase = await createTestDatabase();
  const options = { url: testDatabase.appUrl, name: "worker-kills", deadlineMs: 20_000 };
  database = createDatabase({ ...options, laneCount: 4 });
  ledger = createLedger({ ...options, laneCount: 1 });
  bundlePath = await buildWorkflowBundle(inject("cacheDir"));
  folder = await mkdtemp(join(tmpdir(), "saldo-worker-kills-"));
});

afterAll(async () => {
  await Promise.all([ledger.close(), database.close()]);
  await Promise.all([testDatabase.drop(), rm(folder, { recursive: true, force: true })]);
});

/** One order or reservation, and all that is there for it alone. */
interface Scene {
  readonly id: string;
  readonly userId: string;
  readonly serviceId: string;
  readonly starters: Starters;
  readonly psp: TestPsp;
  result(workflowId: string): Promise<unknown>;
}

/** A story, the steps it has, and what must be true at its end, whoever died on the way. */
interface Story {
  readonly name: string;
  readonly steps: readonly Edge["step"][];
  /** True when its order is not paid at once. */
  readonly payInSteps?: true;
  tell(scene: Scene): Promise<void>;
}

const order = ({ id, userId, serviceId }: Scene): OrderSagaInput => ({
  orderId: id,
  userId,
  currency: "RUB",
  lines: [{ lineNo: 1, serviceId, quantity: 1, amountMinor: TOTAL.toString() }],
  totalMinor: TOTAL.toString(),
  paymentMethod: "wallet",
  comment: "test",
  requestHash: `hash-${id}`,
  correlationId: `correlation-${id}`,
  caller: "test",
  paymentDeadlineMs: 120_000,
  compensationFastRetries: 20,
});

async function orderByCard(scene: Scene, deadlineMs = 120_000): Promise<OrderSagaInput> {
  const psp = createPsp({ url: scene.psp.url, apiKey: scene.psp.apiKey, timeoutMs: 5_000, logger: SILENT_LOG });
  const { token, last4, brand } = await psp.tokenise({ number: "4242424242424242", expiry: "12/39", cvc: "123" });
  return { ...order(scene), paymentMethod: "card", card: { cardToken: token, last4, brand }, paymentDeadlineMs: deadlineMs };
}

const reservation = ({ id, userId, serviceId }: Scene, ttlMs: number): ReservationInput => ({
  reservationId: id,
  userId,
  serviceId,
  orderId: `order-${id}`,
  currency: "RUB",
  amountMinor: TOTAL.toString(),
  ttlMs,
  comment: "test",
  requestHash: `hash-${id}`,
  correlationId: `correlation-${id}`,
  caller: "test",
});

const stateOf = async ({ id }: Scene) => (await getOrder(database.db, id))?.sagaState;
const pause = ({ userId }: Scene) => beginPause(database.db, { scope: "user", subject: userId, reason: "test", pausedBy: "test" });

/** Places the order while captures are paused and cancels it where it waits. */
async function cancelled(scene: Scene, input: OrderSagaInput): Promise<void> {
  await pause(scene);
  await scene.starters.startOrder(input);
  await until("the order waits at its capture", async () => (await stateOf(scene)) === "PAYMENT_PENDING", PATIENCE_MS);
  // The worker may die with the update in hand; the saga ends all the same.
  await Promise.allSettled([scene.starters.cancelOrder(scene.id, "test")]);
  expect(await scene.result(orderWorkflowId(scene.id))).toMatchObject({ sagaState: "FAILED", failureCode: "ORDER_CANCELLED" });
}

/** Asks again until it is answered, as a client does: a worker that dies takes the update's first try with it. */
async function insist<Result>(ask: () => Promise<Result>): Promise<Result> {
  for (const untilMs = performance.now() + PATIENCE_MS; ; await sleep(200)) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
  }
}

async function paidByWallet(scene: Scene): Promise<void> {
  await scene.starters.startOrder(order(scene));
  expect(await scene.result(orderWorkflowId(scene.id))).toMatchObject({ sagaState: "COMPLETED" });
  expect(await booksOf(scene)).toEqual({ ...KEPT, captures: 0, cardNet: 0n });
}

const KEPT = { wallet: 0n, revenue: TOTAL } as const;
const GIVEN_BACK = { wallet: TOTAL, revenue: 0n } as const;

const STORIES: readonly Story[] = [
  { name: "an order by wallet is paid once, at once", steps: ["createOrder"], tell: paidByWallet },
  {
    name: "an order by wallet is paid once, one step after the other",
    steps: ["createOrder", "holdOrder", "captureOrder"],
    payInSteps: true,
    tell: paidByWallet,
  },
  {
    name: "a cancelled order by wallet gives all back",
    steps: ["beginCompensation", "releaseOrder", "cancelOrder"],
    async tell(scene) {
      await cancelled(scene, order(scene));
      expect(await booksOf(scene)).toEqual({ ...GIVEN_BACK, captures: 0, cardNet: 0n });
    },
  },
  {
    name: "an order by card is charged once",
    steps: ["createOrder", "authoriseCard", "awaitCapture", "captureCard", "chargeOrder"],
    async tell(scene) {
      await scene.starters.startOrder(await orderByCard(scene));
      expect(await scene.result(orderWorkflowId(scene.id))).toMatchObject({ sagaState: "COMPLETED" });
      expect(await booksOf(scene)).toEqual({ wallet: TOTAL, revenue: TOTAL, captures: 1, cardNet: TOTAL });
    },
  },
  {
    name: "a cancelled order by card charges nothing",
    // It waits with its capture under way, so the refund of whatever was captured is what undoes it.
    steps: ["beginCompensation", "refundCard", "cancelOrder"],
    async tell(scene) {
      await cancelled(scene, await orderByCard(scene));
      expect(await booksOf(scene)).toEqual({ ...GIVEN_BACK, captures: 0, cardNet: 0n });
    },
  },
  {
    name: "an order by card that is declined at its capture gives the authorisation back",
    steps: ["captureCard", "cancelCardAuthorisation"],
    async tell(scene) {
      scene.psp.script({ kinds: ["decline"], steps: ["capture"] });
      await scene.starters.startOrder(await orderByCard(scene));
      expect(await scene.result(orderWorkflowId(scene.id))).toMatchObject({ sagaState: "FAILED", failureCode: "PAYMENT_DECLINED" });
      expect(await booksOf(scene)).toEqual({ ...GIVEN_BACK, captures: 0, cardNet: 0n });
      expect(scene.psp.payments().filter(({ kind, status }) => kind === "cancel" && status === "approved")).toHaveLength(1);
    },
  },
  {
    name: "a charge of unknown outcome is given back",
    steps: ["refundCard"],
    async tell(scene) {
      scene.psp.script({ kinds: ["charge-then-hang"], steps: ["capture"] });
      scene.psp.script({ kinds: ["hang"], steps: ["look-up"] });
      await scene.starters.startOrder(await orderByCard(scene, PAYMENT_DEADLINE_MS));
      await until("the order is being undone", async () => (await stateOf(scene)) === "COMPENSATING", PATIENCE_MS);
      scene.psp.clearScripts();
      expect(await scene.result(orderWorkflowId(scene.id))).toMatchObject({ sagaState: "FAILED" });
      expect(await booksOf(scene)).toEqual({ ...GIVEN_BACK, captures: 1, cardNet: 0n });
    },
  },
  {
    name: "a reservation is held once and confirmed once",
    steps: ["placeHold", "captureHold"],
    async tell(scene) {
      const input = reservation(scene, 600_000);
      await insist(() => scene.starters.placeReservation(input));
      await insist(() => scene.starters.confirmReservation(scene.id, { requestKey: `confirm-${scene.id}` }));
      expect(await scene.result(reservationWorkflowId(scene.id))).toMatchObject({ status: "confirmed" });
      expect(await booksOf(scene)).toEqual({ ...KEPT, captures: 0, cardNet: 0n });
    },
  },
  {
    name: "a released reservation gives all back once",
    steps: ["releaseHold"],
    async tell(scene) {
      await insist(() => scene.starters.placeReservation(reservation(scene, 600_000)));
      await insist(() => scene.starters.releaseReservation(scene.id, { requestKey: `release-${scene.id}` }));
      expect(await scene.result(reservationWorkflowId(scene.id))).toMatchObject({ status: "released" });
      expect(await booksOf(scene)).toEqual({ ...GIVEN_BACK, captures: 0, cardNet: 0n });
    },
  },
  {
    name: "a reservation whose time passes gives all back once",
    steps: ["endHold"],
    async tell(scene) {
      await insist(() => scene.starters.placeReservation(reservation(scene, 2_000)));
      expect(await scene.result(reservationWorkflowId(scene.id))).toMatchObject({ status: "expired" });
      expect(await booksOf(scene)).toEqual({ ...GIVEN_BACK, captures: 0, cardNet: 0n });
    },
  },
];

/** What the ledger and the provider say of the scene's user, service and order. */
async function booksOf({ id, userId, serviceId, psp }: Scene) {
  const [row] = await database.db.execute<{ wallet: string; held: string; revenue: string }>(sql`
    select coalesce(sum(balance_minor) filter (where kind = 'available' and owner = ${userId}), 0)::text as wallet,
           coalesce(sum(balance_minor) filter (where kind = 'held' and owner = ${userId}), 0)::text as held,
           coalesce(sum(balance_minor) filter (where kind = 'revenue' and owner = ${serviceId}), 0)::text as revenue from accounts`);
  expect(row?.held).toBe("0");
  const approved = psp.payments().filter(({ orderId, status }) => orderId === id && status === "approved");
  const sumOf = (kind: string) => approved.filter((one) => one.kind === kind).reduce((sum, one) => sum + BigInt(one.amountMinor), 0n);
  return {
    wallet: BigInt(row?.wallet ?? 0),
    revenue: BigInt(row?.revenue ?? 0),
    captures: approved.filter(({ kind }) => kind === "capture").length,
    cardNet: sumOf("capture") - sumOf("refund"),
  };
}

/** A worker process; where one was killed, the next takes its place. */
function keepWorker(input: EdgeWorkerInput): { readonly running: Promise<void>; kills(): number; stop(): void } {
  let kills = 0;
  let stopped = false;
  let child: ChildProcess;
  let tellRunning = () => {};
  const running = new Promise<void>((resolve) => void (tellRunning = resolve));
  const start = () => {
    child = fork(ENTRY, [JSON.stringify(input)], { execArgv: ["--import", "tsx"], stdio: ["ignore", "ignore", "inherit", "ipc"] });
    child.once("message", tellRunning);
    child.once("exit", (_code, signal) => {
      if (stopped) return;
      if (signal === "SIGKILL") kills += 1;
      start();
    });
  };
  start();
  return {
    running,
    kills: () => kills,
    stop() {
      stopped = true;
      child.kill("SIGKILL");
    },
  };
}

async function playWith(story: Story, edge: Edge): Promise<void> {
  const id = randomUUID();
  const namespace = await makeTestNamespace(inject("temporalAddress"));
  const psp = await startPspSimulator();
  const temporalAddress = inject("temporalAddress");
  const link = await createTemporal({ address: temporalAddress, namespace, deadlineMs: 10_000, logger: SILENT_LOG });
  const worker = keepWorker({
    temporalAddress,
    namespace,
    databaseUrl: testDatabase.appUrl,
    psp,
    bundlePath,
    edge,
    payInSteps: story.payInSteps === true,
    markerPath: join(folder, id),
  });
  try {
    const userId = `user-${id}`;
    const origin = { caller: "test", correlationId: "test" };
    await ledger.post(depositOperation({ key: `fund-${id}`, userId, currency: "RUB", amountMinor: TOTAL, comment: "test", origin }));
    await worker.running;
    await story.tell({
      id,
      userId,
      serviceId: `service-${id}`,
      psp,
      starters: createStarters({ client: link.client, eager: false, deadlineMs: 60_000 }),
      result: (workflowId) => link.client.workflow.getHandle(workflowId).result(),
    });
    expect(worker.kills()).toBe(1);
  } finally {
    worker.stop();
    await Promise.all([link.close(), psp.stop()]);
  }
}

const ALL_CASES = STORIES.flatMap((story) =>
  story.steps.flatMap((step) =>
    (["before", "after"] as const).map((side) => ({ story, edge: { step, side }, name: story.name, step, side })),
  ),
);

// A worker costs two seconds of a processor at each of its starts: `npm run faults` kills at every edge, `npm test` at one of each story.
const random = seededRandom(Number(process.env["SALDO_FAULTS_SEED"] ?? 5));
const CASES =
  process.env["SALDO_FAULTS"] === "all"
    ? ALL_CASES
    : STORIES.flatMap(({ name }) => {
        const own = ALL_CASES.filter((one) => one.name === name);
        return own.slice(Math.floor(random() * own.length)).slice(0, 1);
      });

describe.concurrent("when the worker is killed", () => {
  it.each(CASES)("$side $step, $name", async ({ story, edge }) => playWith(story, edge), PATIENCE_MS + 30_000);
});

it("the books of all of them are right", async () => {
  expect(await auditBooks(database.db)).toMatchObject({ ok: true });
});
