import { messageOf } from "../../src/base/errors.ts";
import { orderRefundWorkflowId } from "../../src/contract/ids.ts";
import {
  isAuditOk,
  type HousekeepingInput,
  type HousekeepingResult,
  type SelfAuditFinding,
  type SelfAuditResult,
} from "../../src/contract/self-audit.ts";
import { isFinal } from "../../src/domain/orders/order-states.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { pausedFor } from "../../src/store/operators/pauses.ts";
import { insertSelfAudit, latestProof } from "../../src/store/operators/self-audits.ts";
import { findOrderIdentity } from "../../src/store/orders/order-identity.ts";
import { noteStuck } from "../../src/store/orders/orders.ts";
import {
  listOpenReservations,
  listPendingRefunds,
  listUnfinishedOrders,
  orderInputOf,
  reservationInputOf,
  type OpenReservation,
  type UnfinishedOrder,
} from "../../src/store/orders/unfinished.ts";
import { readOutboxBacklog } from "../../src/store/outbox/outbox-backlog.ts";
import { databaseOver } from "../../src/store/postgres/database.ts";
import { EXPIRING_TABLES, pruneExpired, pruneOutbox } from "../../src/store/postgres/housekeeping.ts";
import { expireHold } from "../../src/store/reservations/hold-expiry.ts";
import { getHold } from "../../src/store/reservations/holds.ts";
import type { ActivityDeps, WorkflowPort } from "../activity-deps.ts";

/** How many holds and orders one run looks at: those that end next. The others are looked at before their own end comes. */
const PER_RUN = 1_000;
/** How many questions to Temporal are under way at once: about 2 ms each. */
const AT_ONCE = 20;
const EXAMPLES = 5;
/** The proof may take this part of the time: a ledger that needs a minute for it is proved every ten. */
const PROOF_SHARE = 0.1;
const PROOF_DEADLINE_MS = 300_000;
/** A saga that has not moved for so long is looked for. */
const QUIET_ORDER_MS = 15_000;
const SLOW_REFUND_MS = 300_000;
const STALE_OUTBOX_SECONDS = 300;
/** Pieces of 1,000 rows that one run of the housekeeping removes of each table. */
const MAX_PIECES = 100;

type Deps = Pick<ActivityDeps, "db" | "ledger" | "openLane" | "workflows" | "logger">;

/** What the `selfAudit` and `housekeeping` workflows do in the world. Each is safe to retry. */
export function createSelfAuditActivities({ db, ledger, openLane, workflows, logger }: Deps) {
  return {
    /**
     * Finds reservations that hold money and whose workflow is gone. What is past its end is given back under the workflow's own key, so
     * that it cannot happen twice; to the others, and to those that a pause keeps, their workflow is given back for the time that is left.
     */
    async sweepReservations(): Promise<SelfAuditFinding> {
      const found = { checked: 0, repaired: [] as string[], broken: [] as string[] };
      if (workflows === undefined) return reservationFinding(found);
      for (const which of ["overdue", "running"] as const) {
        const open = await listOpenReservations(db, { which, limit: PER_RUN });
        found.checked += open.length;
        await each(open, async (reservation) => {
          if (await workflows.isOpen(reservation.hold.workflowId)) return;
          try {
            const done = await repair(reservation, workflows);
            if (done !== undefined) found.repaired.push(done);
          } catch (error) {
            found.broken.push(`reservation ${reservation.hold.holdId} has no workflow: ${messageOf(error)}`);
          }
        });
      }
      for (const words of found.repaired) logger.warn({ event: "self-audit.repaired" }, words);
      return reservationFinding(found);
    },

    /**
     * Orders that are in no final state and that nothing runs any more are given their saga again: the row's fences and the permanent keys
     * of the steps let nothing happen twice. One whose request is not known is noted as stuck, for a person to look at. To a refund that
     * was set aside while Temporal was away its workflow is given.
     */
    async findLostOrders(): Promise<SelfAuditFinding> {
      const quiet = { quietMs: QUIET_ORDER_MS, limit: PER_RUN };
      const orders = workflows === undefined ? [] : await listUnfinishedOrders(db, quiet);
      const lost: string[] = [];
      const repaired: string[] = [];
      if (workflows !== undefined)
        await each(orders, async (order) => {
          if (await workflows.isOpen(order.workflowId)) return;
          const words = `order ${order.orderId} is ${order.sagaState} and its workflow does not run`;
          try {
            const done = await restart(order, workflows);
            if (done === "restarted")
              repaired.push(`order ${order.orderId} was ${order.sagaState}, had no workflow and was given one again`);
            if (done === "unknown") lost.push(words);
          } catch (error) {
            lost.push(`${words}: ${messageOf(error)}`);
          }
        });
      const refunds = workflows === undefined ? [] : await listPendingRefunds(db, quiet);
      await each(refunds, async ({ createdAt: _createdAt, ...refund }) => {
        const { refundId, orderId } = refund;
        if (await workflows?.isOpen(orderRefundWorkflowId(orderId, refundId))) return;
        try {
          await workflows?.startRefund(refund);
          repaired.push(`refund ${refundId} of order ${orderId} had no workflow and was given one`);
        } catch (error) {
          lost.push(`refund ${refundId} of order ${orderId} has no workflow: ${messageOf(error)}`);
        }
      });
      for (const words of repaired) logger.warn({ event: "self-audit.repaired" }, words);
      const checked = orders.length + refunds.length;
      return finding("orders", "every order in no final state and every pending refund has its workflow", {
        checked,
        broken: lost,
        repaired,
      });
    },

    /** Refunds that do not come to their end: the money is nobody's fault of the books, and somebody waits for it. */
    async findSlowRefunds(): Promise<SelfAuditFinding> {
      const refunds = await listPendingRefunds(db, { quietMs: SLOW_REFUND_MS, limit: PER_RUN });
      const words = refunds.map(
        ({ refundId, orderId, createdAt }) => `refund ${refundId} of order ${orderId} has been pending since ${createdAt.toISOString()}`,
      );
      return finding("refunds", "no refund is pending for longer than five minutes", {
        checked: refunds.length,
        broken: words,
        level: "warning",
      });
    },

    /** Whether messages leave. Where there is no Kafka they wait, which is a warning and no fault of the books. */
    async checkOutbox(): Promise<SelfAuditFinding> {
      const { count, oldestAgeSeconds } = await readOutboxBacklog(db);
      const stale =
        oldestAgeSeconds > STALE_OUTBOX_SECONDS ? [`${count} messages wait, the oldest for ${Math.round(oldestAgeSeconds)} s`] : [];
      return finding("outbox", "no message waits longer than five minutes", { checked: count, broken: stale, level: "warning" });
    },

    /** Proves I1 to I5 from the postings, unless that was done so lately that it would take more than a tenth of the time. */
    async proveBooks(): Promise<{ readonly findings: readonly SelfAuditFinding[]; readonly provedMs?: number }> {
      const last = await latestProof(db);
      if (last !== undefined && Date.now() - last.at.getTime() < last.provedMs / PROOF_SHARE) return { findings: [] };
      const lane = openLane("self-audit", PROOF_DEADLINE_MS);
      const startedMs = performance.now();
      try {
        const { findings } = await auditBooks(databaseOver(lane));
        return {
          provedMs: Math.ceil(performance.now() - startedMs),
          findings: findings.map(({ invariant, title, checked, broken, examples }) => ({
            check: invariant,
            title,
            level: "broken",
            checked: checked.toString(),
            broken: broken.toString(),
            repaired: "0",
            examples,
          })),
        };
      } catch (error) {
        const tooLong = finding("books", "the books can be proved", { checked: 1, broken: [messageOf(error)], level: "warning" });
        return { findings: [tooLong], provedMs: Math.ceil(performance.now() - startedMs) };
      } finally {
        await lane.close();
      }
    },

    /** Keeps what was found, for whoever asks, and says so in the log when something is broken. */
    async recordSelfAudit(input: Pick<SelfAuditResult, "findings" | "provedMs">): Promise<SelfAuditResult> {
      const result = { ...input, ok: isAuditOk(input.findings) };
      await insertSelfAudit(db, result);
      if (!result.ok)
        logger.error(
          { event: "self-audit.broken", findings: result.findings.filter(({ broken }) => broken !== "0") },
          "the self-audit found what it cannot repair",
        );
      return result;
    },

    /** Removes what nobody asks for any more, in bounded pieces; what is left is removed by the next run. */
    async removeExpired({ outboxKeepMs }: HousekeepingInput): Promise<HousekeepingResult> {
      const removed: Record<string, number> = {};
      for (const table of EXPIRING_TABLES) {
        let count = 0;
        for (let piece = 0, last = 1; piece < MAX_PIECES && last > 0; piece += 1) count += last = await pruneExpired(db, table);
        removed[table] = count;
      }
      let outbox = 0;
      for (let piece = 0, afterId: string | undefined = "0"; piece < MAX_PIECES && afterId !== undefined; piece += 1) {
        const pruned: Awaited<ReturnType<typeof pruneOutbox>> = await pruneOutbox(db, { keepMs: outboxKeepMs, afterId });
        outbox += pruned.removed;
        afterId = pruned.nextId;
      }
      return { ...removed, outbox };
    },
  };

  /** What came of an order that nothing runs. */
  async function restart(order: UnfinishedOrder, port: WorkflowPort): Promise<"restarted" | "unknown" | "over"> {
    const { orderId, stuckStep } = order;
    const input = await orderInputOf(db, orderId);
    if (input !== undefined) {
      await port.restartOrder(input);
      // What the lost saga was stuck at, the new one finds out for itself.
      if (stuckStep !== null) await noteStuck(db, { orderId, was: stuckStep, reason: "" });
      return "restarted";
    }
    const standing = await findOrderIdentity(db, orderId);
    if (standing === undefined || isFinal(standing.sagaState)) return "over";
    await noteStuck(db, { orderId, step: "run the order", reason: "its workflow is gone and its request was not kept" });
    return "unknown";
  }

  /** What was done, in words; undefined when the reservation was closed in the meantime. */
  async function repair(reservation: OpenReservation, port: WorkflowPort): Promise<string | undefined> {
    const { caller, correlationId } = reservation;
    // Read again: between the list and the answer of Temporal its workflow may have closed it and ended.
    const hold = await getHold(db, reservation.hold.holdId);
    if (hold === undefined || hold.status !== "held") return undefined;
    const isOver = hold.expiresAt.getTime() <= Date.now();
    if (isOver && (await pausedFor(db, { userId: hold.userId, serviceIds: [hold.serviceId] })) === undefined) {
      const result = await expireHold(ledger, hold, { caller, correlationId });
      return result.outcome === "done" ? `reservation ${hold.holdId} had no workflow past its end and was given back` : undefined;
    }
    await port.restartReservation(reservationInputOf({ hold, caller, correlationId }, Date.now()));
    return `reservation ${hold.holdId} had no workflow and was given one again`;
  }
}

function reservationFinding(found: {
  readonly checked: number;
  readonly broken: readonly string[];
  readonly repaired: readonly string[];
}): SelfAuditFinding {
  return finding("reservations", "every reservation that holds money has its workflow", found);
}

function finding(
  check: string,
  title: string,
  found: {
    readonly checked: number;
    readonly broken: readonly string[];
    readonly repaired?: readonly string[];
    readonly level?: SelfAuditFinding["level"];
  },
): SelfAuditFinding {
  const { checked, broken, repaired = [], level = "broken" } = found;
  return {
    check,
    title,
    level,
    checked: String(checked),
    broken: String(broken.length),
    repaired: String(repaired.length),
    examples: [...broken, ...repaired].slice(0, EXAMPLES),
  };
}

async function each<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
