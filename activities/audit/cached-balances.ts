import type { SelfAuditFinding } from "../../src/contract/self-audit.ts";
import type { ActivityDeps } from "../activity-deps.ts";
import { findingOf, PER_RUN } from "./finding.ts";

/** The self-audit's comparison of cached balances with the books. */
export function createCachedBalanceCheck({ compareCachedBalances, logger }: Pick<ActivityDeps, "compareCachedBalances" | "logger">) {
  return {
    /**
     * Compares cached balances with the books and drops what is wrong. Safe to retry.
     * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
     */
    async checkCachedBalances(): Promise<SelfAuditFinding> {
      const { checked, wrong } = compareCachedBalances === undefined ? { checked: 0, wrong: [] } : await compareCachedBalances(PER_RUN);
      const repaired = wrong.map(
        ({ userId, cached, books }) => `the cache had "${cached}" of ${userId} and the books "${books}"; it was dropped`,
      );
      for (const words of repaired) logger.error({ event: "self-audit.cached-balance" }, words);
      return findingOf("cached-balances", "every cached balance is that of the books", {
        checked,
        broken: [],
        repaired,
      });
    },
  };
}
