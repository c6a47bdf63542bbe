import { messageOf } from "../../src/base/errors.ts";
import { isAuditOk, type SelfAuditFinding, type SelfAuditResult } from "../../src/contract/self-audit.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { insertSelfAudit, latestProof } from "../../src/store/operators/self-audits.ts";
import { databaseOver } from "../../src/store/postgres/database.ts";
import type { ActivityDeps } from "../activity-deps.ts";
import { findingOf } from "./finding.ts";

/** The largest share of the time that proofs may take: a proof of one minute is made every ten minutes. */
const PROOF_SHARE = 0.1;
const PROOF_DEADLINE_MS = 300_000;

type Deps = Pick<ActivityDeps, "db" | "openLane" | "logger">;

/** The self-audit's proof of the books, and its record: the next run reads from the record when the last proof was made. */
export function createProofActivities({ db, openLane, logger }: Deps) {
  return {
    /**
     * Proves I1 to I5 from the postings, on a lane of its own. Makes no proof when the last one is so young that proofs would take more
     * than a tenth of the time; then there are no findings. A proof that fails is a warning. Safe to retry: it only reads.
     * Throws: UNAVAILABLE, DEADLINE_EXCEEDED when the last proof cannot be read.
     */
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
        const notProved = findingOf("books", "the books can be proved", { checked: 1, broken: [messageOf(error)], level: "warning" });
        return { findings: [notProved], provedMs: Math.ceil(performance.now() - startedMs) };
      } finally {
        await lane.close();
      }
    },

    /** Records the run's findings, and logs an error when one of them is broken. A retry records them once more. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
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
  };
}
