import type { SelfAuditFinding } from "../../src/contract/self-audit.ts";
import { listPendingRefunds } from "../../src/store/orders/unfinished.ts";
import { readOutboxBacklog } from "../../src/store/outbox/outbox-backlog.ts";
import type { ActivityDeps } from "../activity-deps.ts";
import { findingOf, PER_RUN } from "./finding.ts";

const SLOW_REFUND_MS = 300_000;
const STALE_OUTBOX_SECONDS = 300;

/** The self-audit's warnings of what waits too long. The books are right meanwhile, so neither of them breaks the audit. */
export function createWaitingChecks({ db }: Pick<ActivityDeps, "db">) {
  return {
    /** Warns of refunds that stay pending: their customers wait for money. Safe to retry: it only reads. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
    async findSlowRefunds(): Promise<SelfAuditFinding> {
      const refunds = await listPendingRefunds(db, { quietMs: SLOW_REFUND_MS, limit: PER_RUN });
      const broken = refunds.map(
        ({ refundId, orderId, createdAt }) => `refund ${refundId} of order ${orderId} has been pending since ${createdAt.toISOString()}`,
      );
      return findingOf("refunds", "no refund is pending for longer than five minutes", {
        checked: refunds.length,
        broken,
        level: "warning",
      });
    },

    /** Warns of messages that do not leave the outbox, as they do not without Kafka. Safe to retry: it only reads. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
    async checkOutbox(): Promise<SelfAuditFinding> {
      const { count, oldestAgeSeconds } = await readOutboxBacklog(db);
      const isStale = oldestAgeSeconds > STALE_OUTBOX_SECONDS;
      return findingOf("outbox", "no message waits longer than five minutes", {
        checked: count,
        broken: isStale ? [`${count} messages wait, the oldest for ${Math.round(oldestAgeSeconds)} s`] : [],
        level: "warning",
      });
    },
  };
}
