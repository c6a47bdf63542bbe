import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { sql } from "drizzle-orm";
import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { orderWorkflowId, reservationWorkflowId } from "../../src/contract/ids.ts";
import type { OrderSagaInput, SagaState } from "../../src/contract/orders.ts";
import type { ReservationInput } from "../../src/contract/reservations.ts";
import type { SelfAuditResult } from "../../src/contract/self-audit.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { beginPause, endPause } from "../../src/store/operators/pauses.ts";
import { latestSelfAudit } from "../../src/store/operators/self-audits.ts";
import { beginCompensation, getOrder } from "../../src/store/orders/orders.ts";
import { getRefund, reserveRefund } from "../../src/store/orders/refunds.ts";
import { orderInputOf } from "../../src/store/orders/unfinished.ts";
import { getHold } from "../../src/store/reservations/holds.ts";
import {
  ensureHousekeepingSchedule,
  ensureSelfAuditSchedule,
  HOUSEKEEPING_SCHEDULE,
  SELF_AUDIT_SCHEDULE,
} from "../../workers/parts/schedules.ts";
import { asOwner as asOwnerOf } from "../support/as-owner.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";
import { until } from "../support/until.ts";

const AMOUNT = 10_000n;
let bench: SagaBench;
const asOwner = <Result>(work: (owner: postgres.Sql) => Promise<Result>): Promise<Result> => asOwnerOf(bench.adminUrl, work);

beforeAll(async () => {
  bench = await openSagaBench({ redisUrl: undefined });
});

afterAll(() => bench.close());

async function placed(ttlMs: number): Promise<ReservationInput> {
  const reservationId = randomUUID();
  const reservation: ReservationInput = {
    reservationId,
    userId: `user-${reservationId}`,
    serviceId: "cleaning",
    orderId: "order-1",
    currency: "RUB",
    amountMinor: AMOUNT.toString(),
    ttlMs,
    comment: "test",
    requestHash: `hash-${reservationId}`,
    correlationId: `correlation-${reservationId}`,
    caller: "test",
  };
  await bench.fund(reservation.userId, AMOUNT);
  expect(await bench.starters.placeReservation(reservation)).toMatchObject({ status: "held" });
  return reservation;
}
const terminate = ({ reservationId }: ReservationInput) =>
  bench.client.workflow.getHandle(reservationWorkflowId(reservationId)).terminate("a test");
const rowOf = ({ reservationId }: ReservationInput) => getHold(bench.database.db, reservationId);
const run = <Result>(type: string, args: unknown[] = []): Promise<Result> =>
  bench.client.workflow.execute(type, { workflowId: `${type}-${randomUUID()}`, taskQueue: TASK_QUEUES.reports, args }) as Promise<Result>;
/** Their time has passed a second ago. */
const overdue = (reservations: readonly ReservationInput[]) =>
  asOwner(async (owner) => {
    for (const { reservationId } of reservations)
      await owner`update holds set expires_at = now() - interval '1 second' where id = ${reservationId} and status = 'held'`;
  });
/** The next run proves the books; else it leaves that out when the last proof was made lately and took long, as on a slow machine. */
const makeProofDue = () =>
  asOwner(async (owner) => {
    await owner`update self_audits set proved_ms = null`;
  });
const findingOf = ({ findings }: Pick<SelfAuditResult, "findings">, check: string) => findings.find((one) => one.check === check);

describe("the standing self-audit", () => {
  it("starts the workflow of a refund that was set aside while Temporal was away, and the money is back", async () => {
    const orderId = randomUUID();
    const userId = `user-${orderId}`;
    await bench.fund(userId, AMOUNT);
    const started = await bench.starters.startOrder({
      orderId,
      userId,
      currency: "RUB",
      lines: [{ lineNo: 1, serviceId: "cleaning", quantity: 1, amountMinor: AMOUNT.toString() }],
      totalMinor: AMOUNT.toString(),
      paymentMethod: "wallet",
      comment: "test",
      requestHash: "hash",
      correlationId: "test",
      caller: "test",
    });
    expect(await started.outcome(20_000)).toMatchObject({ sagaState: "COMPLETED" });
    const refund = {
      refundId: randomUUID(),
      orderId,
      amountMinor: 4_000n,
      reason: "late",
      requestHash: "h",
      caller: "t",
      correlationId: "c",
    };
    await reserveRefund(bench.database.db, refund);
    const young = await run<SelfAuditResult>("selfAudit");
    expect(findingOf(young, "orders")).toMatchObject({ repaired: "0" });
    await asOwner(async (owner) => {
      await owner`update refunds set created_at = now() - interval '1 minute' where id = ${refund.refundId}`;
    });
    const result = await run<SelfAuditResult>("selfAudit");
    expect(findingOf(result, "orders")).toMatchObject({ broken: "0", repaired: "1" });
    await until("the money is back", async () => (await bench.balanceOf(userId))?.availableMinor === 4_000n);
    expect((await getRefund(bench.database.db, refund.refundId))?.status).toBe("done");
    expect(findingOf(await run<SelfAuditResult>("selfAudit"), "orders")).toMatchObject({ repaired: "0" });
  });

  const orderOf = (userId: string, card?: OrderSagaInput["card"]): OrderSagaInput => ({
    orderId: randomUUID(),
    userId,
    currency: "RUB",
    lines: [
      { lineNo: 1, serviceId: "cleaning", quantity: 2, amountMinor: "7000" },
      { lineNo: 2, serviceId: "repair", quantity: 1, amountMinor: "3000" },
    ],
    totalMinor: AMOUNT.toString(),
    paymentMethod: card === undefined ? "wallet" : "card",
    ...(card === undefined ? {} : { card }),
    comment: "test",
    requestHash: `hash-${userId}`,
    correlationId: "test",
    caller: "test",
    compensationFastRetries: 0,
  });
  const order = (orderId: string) => getOrder(bench.database.db, orderId);
  const untilState = (orderId: string, state: SagaState) =>
    until(`the order is ${state}`, async () => (await order(orderId))?.sagaState === state);
  const handleOf = (orderId: string) => bench.client.workflow.getHandle(orderWorkflowId(orderId));
  const loseSaga = async (orderId: string) => {
    bench.lostRuns.add((await handleOf(orderId).describe()).runId);
    await handleOf(orderId).terminate("a test");
  };
  /** A step that was under way may write the row once more after its workflow was ended; then the order has to be quiet anew. */
  const auditRunsAgain = (orderId: string) =>
    until("the audit runs the order again", async () => {
      await asOwner((owner) => owner`update orders set updated_at = now() - interval '1 minute' where id = ${orderId}`);
      const { broken } = findingOf(await run<SelfAuditResult>("selfAudit"), "orders") ?? {};
      return broken === "0" && (await handleOf(orderId).describe()).status.name !== "TERMINATED";
    });
  const CARD = { cardToken: "tok_test", last4: "4242", brand: "visa" };

  it("runs an order again whose saga was terminated while the money was held, and it is captured once", async () => {
    const userId = `user-${randomUUID()}`;
    await bench.fund(userId, AMOUNT);
    const input = orderOf(userId);
    bench.loseCaptures = true;
    const started = await bench.starters.startOrder(input);
    await untilState(input.orderId, "PAYMENT_PENDING");
    await loseSaga(input.orderId);
    bench.loseCaptures = false;
    // Ended from outside is no outcome: the next one has it.
    expect(await started.outcome(5_000)).toBeUndefined();
    expect(await orderInputOf(bench.database.db, input.orderId)).toEqual(input);

    await auditRunsAgain(input.orderId);
    await untilState(input.orderId, "COMPLETED");
    expect(await bench.balanceOf(userId)).toMatchObject({ heldMinor: 0n, availableMinor: 0n });
    expect((await bench.starters.startOrder(input)).alreadyStarted).toBe(true);
    await bench.starters.restartOrder(input);
    expect(await handleOf(input.orderId).result()).toMatchObject({ sagaState: "COMPLETED" });
    expect(await bench.balanceOf(userId)).toMatchObject({ heldMinor: 0n, availableMinor: 0n });
    expect((await auditBooks(bench.database.db)).ok).toBe(true);
  });

  it("runs an order by card again whose capture was unknown, and the card is charged once", async () => {
    const input = orderOf(`user-${randomUUID()}`, CARD);
    bench.psp.fail(input.orderId, "capture", ["lost", "lost", "lost", "lost", "lost"]);
    await bench.starters.startOrder(input);
    await until("the capture was asked for", async () => bench.psp.captures(input.orderId) === 1);
    await loseSaga(input.orderId);
    await auditRunsAgain(input.orderId);
    await untilState(input.orderId, "COMPLETED");
    expect([bench.psp.captures(input.orderId), bench.psp.netOf(input.orderId)]).toEqual([1, AMOUNT]);
    expect((await order(input.orderId))?.payment).toMatchObject({ status: "captured", capturedMinor: AMOUNT });
  });

  it("undoes an order to its end whose saga was terminated while it was being undone, for its first reason", async () => {
    const userId = `user-${randomUUID()}`;
    await bench.fund(userId, AMOUNT);
    const input = orderOf(userId);
    bench.loseCaptures = true;
    await bench.starters.startOrder(input);
    await untilState(input.orderId, "PAYMENT_PENDING");
    await loseSaga(input.orderId);
    bench.loseCaptures = false;
    await beginCompensation(
      bench.database.db,
      { ...input, workflowId: orderWorkflowId(input.orderId) },
      { code: "ORDER_CANCELLED", message: "the first reason" },
    );
    await auditRunsAgain(input.orderId);
    await untilState(input.orderId, "FAILED");
    expect(await order(input.orderId)).toMatchObject({ failureCode: "ORDER_CANCELLED", failureMessage: "the first reason" });
    expect(await bench.balanceOf(userId)).toMatchObject({ heldMinor: 0n, availableMinor: AMOUNT });
  });

  it("warns of a refund that has been pending for long", async () => {
    const [refund] = await bench.database.db.execute(sql`select id from refunds limit 1`);
    const pendingSince = (ago: string, status: string) =>
      asOwner(
        (owner) => owner`update refunds set status = ${status}, created_at = now() - ${ago}::interval where id = ${String(refund?.["id"])}`,
      );
    await pendingSince("6 minutes", "pending");
    const result = await run<SelfAuditResult>("selfAudit");
    expect(findingOf(result, "refunds")).toMatchObject({ level: "warning", broken: "1" });
    expect(result.ok).toBe(true);
    await pendingSince("6 minutes", "done");
    expect(findingOf(await run<SelfAuditResult>("selfAudit"), "refunds")).toMatchObject({ broken: "0" });
  });

  it("gives back within one run what a terminated workflow left held past its end, and the books are right", async () => {
    const reservations = await Promise.all(Array.from({ length: 5 }, () => placed(60_000)));
    const untouched = await placed(60_000);
    for (const reservation of reservations) await terminate(reservation);
    await overdue(reservations);
    await makeProofDue();

    const result = await run<SelfAuditResult>("selfAudit");
    expect(findingOf(result, "reservations")).toMatchObject({ broken: "0", repaired: "5" });
    expect(result.ok).toBe(true);
    for (const check of ["I1", "I2", "I3", "I4", "I5"]) expect(findingOf(result, check)).toMatchObject({ broken: "0" });
    for (const reservation of reservations) {
      expect((await rowOf(reservation))?.status).toBe("expired");
      expect(await bench.balanceOf(reservation.userId)).toMatchObject({ heldMinor: 0n, availableMinor: AMOUNT });
    }
    expect((await rowOf(untouched))?.status).toBe("held");
    expect(await latestSelfAudit(bench.database.db)).toMatchObject({ ok: true, findings: result.findings });
    await bench.starters.releaseReservation(untouched.reservationId, { requestKey: `release-${untouched.reservationId}` });
  });

  it("gives a hold whose time has not passed its workflow back, and it keeps the end it had", async () => {
    const reservation = await placed(60_000);
    await terminate(reservation);
    await asOwner((owner) => owner`update holds set expires_at = now() + interval '10 minutes' where id = ${reservation.reservationId}`);
    const before = await rowOf(reservation);
    expect(findingOf(await run<SelfAuditResult>("selfAudit"), "reservations")).toMatchObject({ broken: "0", repaired: "1" });
    const status = await bench.starters.reservationStatus(reservation.reservationId);
    expect(status).toMatchObject({ status: "held", expiresAt: before?.expiresAt.toISOString() });
    const advance = { requestKey: `advance-${reservation.reservationId}`, advanceMs: 600_000, caller: "test", correlationId: "test" };
    await bench.starters.advanceReservationClock(reservation.reservationId, advance);
    await until("it expired by itself", async () => (await rowOf(reservation))?.status === "expired");
    expect(await bench.balanceOf(reservation.userId)).toMatchObject({ heldMinor: 0n, availableMinor: AMOUNT });
  });

  it("does not give back what a pause keeps: it gives it its workflow back, which waits", async () => {
    const reservation = await placed(60_000);
    await terminate(reservation);
    const target = { scope: "user", subject: reservation.userId } as const;
    await beginPause(bench.database.db, { ...target, reason: "a test", pausedBy: "test" });
    await overdue([reservation]);
    await run<SelfAuditResult>("selfAudit");
    await until("its end is moved on", async () => ((await rowOf(reservation))?.expiresAt.getTime() ?? 0) > Date.now());
    expect((await rowOf(reservation))?.status).toBe("held");
    await endPause(bench.database.db, target);
    await until("it expired", async () => (await rowOf(reservation))?.status === "expired");
  });

  it("leaves the proof of the books out as long as it would take more than a tenth of the time", async () => {
    await makeProofDue();
    const proved = await run<SelfAuditResult>("selfAudit");
    expect(findingOf(proved, "I1")).toMatchObject({ broken: "0" });
    expect(proved.provedMs).toBeTypeOf("number");
    const lastProof = (change: string) => asOwner((owner) => owner.unsafe(`update self_audits set ${change} where proved_ms is not null`));
    await lastProof("proved_ms = 60000");
    const without = await run<SelfAuditResult>("selfAudit");
    expect([findingOf(without, "I1"), without.provedMs]).toEqual([undefined, undefined]);
    await lastProof("at = at - interval '10 minutes'");
    expect(findingOf(await run<SelfAuditResult>("selfAudit"), "I1")).toMatchObject({ broken: "0" });
  });

  it("is read by the statement that docs/operations.md has for it, a line for each check", async () => {
    await makeProofDue();
    const { findings } = await run<SelfAuditResult>("selfAudit");
    const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
    const statement = /^-- the newest: .*\n([^`]+)```/m.exec(page)?.[1] ?? "";
    const rows = await asOwner((owner) => owner.unsafe(statement));
    expect(rows.map(({ check, checked, broken }) => ({ check, checked, broken }))).toEqual(
      findings.map(({ check, checked, broken }) => ({ check, checked, broken })),
    );
    expect(rows.map(({ check }) => check as string)).toEqual(expect.arrayContaining(["I1", "I2", "I3", "I4", "I5", "I6"]));
  });

  it("reports an order that nothing runs, and messages that do not leave", async () => {
    const orderId = randomUUID();
    await asOwner(async (owner) => {
      await owner`insert into orders (id, user_id, status, saga_state, currency, total_minor, payment_method, comment, request_hash, workflow_id, caller, correlation_id, created_at, updated_at)
        values (${orderId}, 'ann', 'PENDING', 'PAYMENT_PENDING', 'RUB', 100, 'card', '', '', ${orderWorkflowId(orderId)}, '', '', now(), now() - interval '1 minute')`;
      await owner`insert into outbox (aggregate_type, aggregate_id, topic, created_at) values ('test', 'stale', 't', now() - interval '1 hour')`;
    });
    const result = await run<SelfAuditResult>("selfAudit");
    expect(findingOf(result, "orders")).toMatchObject({ broken: "1", examples: [expect.stringContaining(orderId)] });
    expect(findingOf(result, "outbox")).toMatchObject({ broken: "1", level: "warning" });
    expect(result.ok).toBe(false);
    expect((await latestSelfAudit(bench.database.db))?.ok).toBe(false);
    // Who looks for stuck orders finds it.
    const [row] = await bench.database.db.execute(sql`select stuck_step from orders where id = ${orderId}`);
    expect(row?.["stuck_step"]).toBe("run the order");
  });

  it("is run by its schedule, which can be made again", async () => {
    for (let n = 0; n < 2; n += 1) {
      await ensureSelfAuditSchedule(bench.client.schedule, { everyMs: 1_000 });
      await ensureHousekeepingSchedule(bench.client.schedule, { everyMs: 1_000, outboxKeepMs: 604_800_000 });
    }
    const before = await latestSelfAudit(bench.database.db);
    await until("a run was recorded", async () => (await latestSelfAudit(bench.database.db))?.at.getTime() !== before?.at.getTime());
    for (const id of [SELF_AUDIT_SCHEDULE, HOUSEKEEPING_SCHEDULE]) {
      const schedule = bench.client.schedule.getHandle(id);
      await schedule.pause("a test");
      // A run that goes on would do what the next test counts.
      await until("its runs have ended", async () => (await schedule.describe()).info.runningActions.length === 0);
      await schedule.delete();
    }
  });
});
