import { patched, setCurrentDetails } from "@temporalio/workflow";
import type { HousekeepingInput, HousekeepingResult, SelfAuditFinding, SelfAuditResult } from "../../src/contract/self-audit.ts";
import { auditSteps, proofSteps } from "../activity-proxies.ts";

/** Proves the books, repairs the findings that are safe to repair, and reports the rest. A schedule starts it, never two runs at once. */
export async function selfAudit(): Promise<SelfAuditResult> {
  // The sweep runs before the proof, so that the proof does not report what the sweep repairs.
  const reservations = await auditSteps.sweepReservations.executeWithOptions({ summary: "reservations without their workflow" }, []);
  const orders = await auditSteps.findLostOrders.executeWithOptions({ summary: "orders without their workflow" }, []);
  const outbox = await auditSteps.checkOutbox.executeWithOptions({ summary: "messages that do not leave" }, []);
  const proof = await proofSteps.proveBooks.executeWithOptions({ summary: "prove the books from their postings" }, []);
  // A run that began before a patch goes on without its step.
  const refunds = patched("slow-refunds")
    ? [await auditSteps.findSlowRefunds.executeWithOptions({ summary: "refunds that do not end" }, [])]
    : [];
  const cached = patched("cached-balances")
    ? [await auditSteps.checkCachedBalances.executeWithOptions({ summary: "cached balances against the books" }, [])]
    : [];
  const findings = [...proof.findings, reservations, orders, ...refunds, ...cached, outbox];
  setCurrentDetails(asTable(findings));
  return auditSteps.recordSelfAudit.executeWithOptions({ summary: "keep what was found" }, [
    { findings, ...(proof.provedMs === undefined ? {} : { provedMs: proof.provedMs }) },
  ]);
}

/** Removes rows that have outlived their use: published messages, old answers, expired sessions. */
export async function housekeeping(input: HousekeepingInput): Promise<HousekeepingResult> {
  const removed = await proofSteps.removeExpired.executeWithOptions({ summary: "remove what has expired" }, [input]);
  setCurrentDetails(
    `Removed: ${Object.entries(removed)
      .map(([table, count]) => `${table} ${count}`)
      .join(", ")}`,
  );
  return removed;
}

function asTable(findings: readonly SelfAuditFinding[]): string {
  const rows = findings.map(
    ({ check, title, checked, broken, repaired, examples }) =>
      `| ${check} | ${title} | ${checked} | ${broken} | ${repaired} | ${examples.join("; ")} |`,
  );
  return ["| check | what holds | checked | broken | repaired | for example |", "|---|---|---|---|---|---|", ...rows].join("\n");
}
