import { withinOrThrow } from "../../base/deadline.ts";
import type { SelfAuditFinding } from "../../contract/self-audit.ts";
import { auditBooks, type AuditReport } from "../../store/ledger/audit.ts";
import { latestSelfAudit } from "../../store/operators/self-audits.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";
import { auditRoute } from "./audit-schemas.ts";

/** How long the database may take for a short read before the audit counts it as not reachable. */
const ANSWER_DEADLINE_MS = 3_000;

interface TimedAudit {
  readonly report: AuditReport;
  readonly startedAt: Date;
  readonly durationMs: number;
}

/** The proof of the books over HTTP. Requests that come while an audit runs share its result. */
export function addAuditRoute(routes: Routes, { db, auditDb = db }: ApiDeps): void {
  let running: Promise<TimedAudit> | undefined;
  const audit = (): Promise<TimedAudit> => {
    running ??= timedAudit(auditDb).finally(() => {
      running = undefined;
    });
    return running;
  };

  routes.add(auditRoute, { access: ADMINS }, async (context) => {
    // Read before the audit: a database that does not answer is reported after seconds, and not after the minutes that an audit may take.
    const last = await withinOrThrow(latestSelfAudit(db), ANSWER_DEADLINE_MS);
    const { report, startedAt, durationMs } = await audit();
    return context.json(
      {
        ok: report.ok,
        startedAt: startedAt.toISOString(),
        durationMs,
        findings: report.findings.map(({ invariant, title, checked, broken, examples }) => ({
          invariant,
          title,
          ok: broken === 0n,
          checked: checked.toString(),
          broken: broken.toString(),
          examples: [...examples],
        })),
        ...(last === undefined
          ? {}
          : { lastSelfAudit: { at: last.at.toISOString(), ok: last.ok, findings: last.findings.map(showFinding) } }),
      },
      200,
    );
  });
}

function showFinding(finding: SelfAuditFinding) {
  return { ...finding, examples: [...finding.examples] };
}

async function timedAudit(db: Db): Promise<TimedAudit> {
  const startedAt = new Date();
  const report = await auditBooks(db);
  return { report, startedAt, durationMs: Date.now() - startedAt.getTime() };
}
