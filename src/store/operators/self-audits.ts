import { desc, isNotNull } from "drizzle-orm";
import { selfAudits } from "../../../drizzle/schema/operators.ts";
import type { SelfAuditFinding, SelfAuditResult } from "../../contract/self-audit.ts";
import type { Db } from "../postgres/database.ts";

export interface SelfAuditRecord extends SelfAuditResult {
  readonly at: Date;
}

/** Keeps what a run found. Not safe to retry: a repeat adds a row with the same findings, which misleads nobody. */
export async function insertSelfAudit(db: Db, { ok, findings, provedMs }: SelfAuditResult): Promise<void> {
  await db.insert(selfAudits).values({ ok, provedMs: provedMs ?? null, findings: findings as unknown as Record<string, unknown>[] });
}

/** What the newest run found, or undefined when there was none yet. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function latestSelfAudit(db: Db): Promise<SelfAuditRecord | undefined> {
  const [row] = await db.select().from(selfAudits).orderBy(desc(selfAudits.at), desc(selfAudits.id)).limit(1);
  if (row === undefined) return undefined;
  const { at, ok, provedMs } = row;
  return { at, ok, findings: row.findings as unknown as SelfAuditFinding[], ...(provedMs === null ? {} : { provedMs }) };
}

/** When the books were last proved and how long that took; undefined when they never were. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function latestProof(db: Db): Promise<{ readonly at: Date; readonly provedMs: number } | undefined> {
  const [row] = await db
    .select({ at: selfAudits.at, provedMs: selfAudits.provedMs })
    .from(selfAudits)
    .where(isNotNull(selfAudits.provedMs))
    .orderBy(desc(selfAudits.at))
    .limit(1);
  return row === undefined || row.provedMs === null ? undefined : { at: row.at, provedMs: row.provedMs };
}
